using System.Text;

namespace HackTree.Boot;

/// <summary>
/// Finds out which program made an initrd, from the names in it, and so what in it reads HackTree's files. The init of initramfs-tools reads
/// scripts/ and conf/, where the appended segment has its script. dracut runs hooks, and HackTree's hook must be in the directory where that
/// dracut looks. No other program reads anything of ours.
/// </summary>
internal sealed class InitrdMaker
{
    /// <summary>A file that every initrd of initramfs-tools has, and no other initrd.</summary>
    internal const string ToolsMark = "scripts/functions";

    private const string Dracut = "dracut";

    /// <summary>Where dracut looks for hooks: up to 106, and dracut-ng since 107.</summary>
    private static readonly string[] HookFolders = ["lib/dracut/hooks/", "usr/lib/dracut/hooks/", "var/lib/dracut/hooks/"];

    /// <summary>The beginnings of names that one program alone puts into its initrds.</summary>
    private static readonly (string Beginning, string Program)[] Marks =
    [
        ("usr/lib/dracut", Dracut),
        ("lib/dracut", Dracut),
        ("var/lib/dracut", Dracut),
        ("init_functions", "mkinitcpio"),
        ("buildconfig", "mkinitcpio"),
        ("etc/booster", "booster"),
        ("bbin/", "u-root"),
        ("sbin/nlplug-findfs", "mkinitfs of Alpine"),
        ("usr/sbin/nlplug-findfs", "mkinitfs of Alpine"),
        ("etc/initrd.scripts", "genkernel"),
    ];

    private bool isOfTools;
    private string? other;

    /// <summary>Whether dracut made the initrd with HackTree's hook in it.</summary>
    internal bool HasDracutHook { get; private set; }

    /// <summary>Whether a program is known that made the initrd.</summary>
    internal bool IsKnown => isOfTools || other != null;

    /// <summary>Looks at one entry's name, which may begin with "./" or "/".</summary>
    internal void See(ReadOnlySpan<byte> name)
    {
        string path = Plain(name);
        isOfTools |= path == ToolsMark;
        other ??= Array.Find(Marks, mark => path.StartsWith(mark.Beginning, StringComparison.Ordinal)).Program;
        HasDracutHook |= IsDracutHook(path);
    }

    /// <summary>Whether a path without "./" is that of HackTree's hook: dracut puts the hook's order before its name.</summary>
    internal static bool IsDracutHook(string path) =>
        Array.Exists(HookFolders, folder => path.StartsWith($"{folder}pre-pivot/", StringComparison.Ordinal))
        && path.EndsWith("enter.sh", StringComparison.Ordinal);

    /// <summary>Says why nothing in the initrd reads an appended segment, and what to do; null if something does.</summary>
    internal string? Fault(string subject) => isOfTools ? null : other switch
    {
        Dracut => $"{subject}: dracut made it, and dracut ignores an appended segment; run `hacktree initrd install` and make the initrd again with dracut",
        null => $"{subject}: neither initramfs-tools nor dracut made it, and no other init is known to read HackTree's files; "
            + "make an initrd with one of the two",
        _ => $"{subject}: {other} made it, whose init does not read HackTree's files; make an initrd with initramfs-tools or dracut",
    };

    private static string Plain(ReadOnlySpan<byte> name)
    {
        // Latin-1 keeps ASCII, which is looked for, apart from all other bytes.
        string text = Encoding.Latin1.GetString(name);
        return text.StartsWith("./", StringComparison.Ordinal) ? text[2..] : text.TrimStart('/');
    }
}
