using HackTree.Tests.Support;
using HackTree.Tests.Tidy;

namespace HackTree.Tests.Boot;

/// <summary>What boot/patches/build.sh makes of Debian's sources; made anew only where the patches changed.</summary>
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

    /// <summary>The path of a file that it made; skips the test, saying why, where the sources cannot be had.</summary>
    public static string At(string name)
    {
        Tools.Require("apt-get", "dpkg-source", "patch", "make", "gcc");
        Assert.SkipWhen(Made.Value.Error.StartsWith("cannot get the sources", StringComparison.Ordinal), Made.Value.Error.Trim());
        Made.Value.Succeeded();
        return Path.Combine(Folder, name);
    }
}
