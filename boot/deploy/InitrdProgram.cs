using HackTree.Checkout;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Boot;

/// <summary>The program of a commit that makes initrds.</summary>
/// <param name="Path">Its path in the commit.</param>
/// <param name="Kind">Which one it is.</param>
public sealed record InitrdProgram(string Path, InitramfsKind Kind)
{
    private static readonly InitrdProgram[] Known =
    [
        new("usr/sbin/mkinitramfs", InitramfsKind.InitramfsTools),
        new("usr/bin/dracut", InitramfsKind.Dracut),
        new("usr/sbin/dracut", InitramfsKind.Dracut),
    ];

    /// <summary>The program that a commit has; null if it has none.</summary>
    internal static InitrdProgram? Find(ObjectStore store, Commit commit) =>
        Array.Find(Known, program =>
            TreeWalk.TryFollow(store.Packs, commit, ByteText.FromArgument(program.Path), out TreeEntry entry) && entry.Kind == EntryKind.Regular);

    /// <summary>The command that makes the initrd of a kernel in /boot. The initrd has the modules of any machine, and not of this one.</summary>
    internal IReadOnlyList<string> CommandFor(string version)
    {
        string output = $"/{BootFolder.Name}/{BootFolder.InitrdName(version)}";
        return Kind == InitramfsKind.Dracut
            ? [$"/{Path}", "--quiet", "--force", "--no-hostonly", output, version]
            : [$"/{Path}", "-o", output, version];
    }
}
