using HackTree.Tests.Support;
using HackTree.Tests.Tidy;

namespace HackTree.Tests.Boot;

/// <summary>The result of boot/patches/build.sh on Debian's sources. It is built again only if the patches changed.</summary>
internal static class ClassicBuild
{
    /// <summary>The script itself.</summary>
    public static string Script { get; } = Path.Combine(Repository.Root, "boot", "patches", "build.sh");

    private static readonly string Folder = Path.Combine(Repository.Root, "out", "classic");

    private static readonly Lazy<ToolResult> Made = new(() => Tools.Run(Script, Folder));

    /// <summary>The patched init.</summary>
    public static string Init => At("init");

    /// <summary>The patched switch_root.</summary>
    public static string SwitchRoot => At("switch_root");

    /// <summary>The path of a file that the script made. Skips the test, saying why, if the sources cannot be fetched.</summary>
    public static string At(string name)
    {
        Tools.Require("apt-get", "dpkg-source", "patch", "make", "gcc");
        Assert.SkipWhen(Made.Value.Error.StartsWith("cannot get the sources", StringComparison.Ordinal), Made.Value.Error.Trim());
        Made.Value.Succeeded();
        return Path.Combine(Folder, name);
    }
}
