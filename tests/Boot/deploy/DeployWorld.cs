using System.Text.Json;
using HackTree.Boot;
using HackTree.Linux;
using HackTree.Tests.Support;

namespace HackTree.Tests.Boot;

/// <summary>
/// A directory like the physical root of a disk: a store, the root r0, and a /boot with a kernel and GRUB's menu. Nothing in it can boot. Deploys need
/// --force, because the tree has no program.
/// </summary>
internal sealed class DeployWorld : IDisposable
{
    /// <summary>The kernel of the shared /boot and of the tree.</summary>
    public const string Kernel = "6.1.0-10-test";

    private readonly ImageWorld world = new();

    /// <param name="prepare">What to do with the directory "disk" before it is filled, such as mounting something there.</param>
    public DeployWorld(Action<string>? prepare = null)
    {
        Assert.SkipUnless(Sys.IsRoot, "only root can make such roots");
        Tree = world.MakeSmallTree();
        Directory.CreateDirectory(At("disk"));
        prepare?.Invoke(At("disk"));
        Directory.CreateDirectory(Path.Combine(Tree, "usr/lib/modules", Kernel));
        Shell("cp -a $T/boot boot; $H init; $H commit -q -b os $T; $H checkout -q --boot os r0");
        File.WriteAllText(At("disk/boot/grub/grub.cfg"), GrubMenu.Commands("r0", "root=UUID=1 ro quiet console=ttyS0"));
        File.WriteAllText(At("disk/boot/grub/grubenv"), GrubMenu.EmptyEnvironment);
    }

    /// <summary>The tree of r0, which may be changed and committed again.</summary>
    public string Tree { get; }

    public string At(string name) => world.At(name);

    /// <summary>Runs a script in the physical root and returns what it printed. $H is the program with the store, $T the tree.</summary>
    public string Shell(string script) => Try(script).Succeeded();

    /// <summary>The same, whether it succeeds or not. SIGINT ends it even if whoever runs the tests ignores that.</summary>
    public ToolResult Try(string script) => Tools.Run(
        "env", "--default-signal=INT", "-C", At("disk"), $"H={Tidy.Repository.Program} --store objects", $"T={Tree}", "bash", "-ec", script);

    /// <summary>What `status` says of each root: "r0: default; r1: trial 3".</summary>
    public string States() => StatesIn(Shell("$H status --json"));

    /// <summary>The states in the output of `status --json`.</summary>
    public static string StatesIn(string json)
    {
        using var document = JsonDocument.Parse(json);
        return string.Join("; ", document.RootElement.EnumerateArray().Select(root => $"{root.GetProperty("name")}: {State(root)}"));
    }

    private static string State(JsonElement root) =>
        root.GetProperty("failed").GetBoolean() ? $"failed {root.GetProperty("why")}"
        : root.GetProperty("triesLeft").GetInt32() is > 0 and int tries ? $"trial {tries}"
        : root.GetProperty("staged").GetBoolean() ? "staged"
        : root.GetProperty("default").GetBoolean() ? "default"
        : root.GetProperty("rollback").GetBoolean() ? "rollback" : "spare";

    public void Dispose() => world.Dispose();
}
