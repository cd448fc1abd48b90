using System.Text;
using System.Text.RegularExpressions;
using HackTree.Store;

namespace HackTree.Boot;

/// <summary>
/// The menu entry that a conversion adds to an installed GRUB, between two lines that tell where it begins and ends. Debian's grub.cfg reads custom.cfg
/// at its end, and update-grub leaves that alone: it goes there, and into grub.cfg only where that does not read it.
/// </summary>
internal static partial class GrubEntry
{
    internal const string Folder = "boot/grub";
    internal const string MainFile = "grub.cfg";
    internal const string CustomFile = "custom.cfg";

    /// <summary>The file with this program's part of the initrd, for a boot loader that takes two.</summary>
    internal const string Segment = "hacktree.cpio.gz";

    private const string Begin = "# hacktree: begin";
    private const string End = "# hacktree: end";

    /// <summary>The file that gets the entry, given grub.cfg.</summary>
    internal static string FileFor(string grubConfig) => grubConfig.Contains(CustomFile, StringComparison.Ordinal) ? CustomFile : MainFile;

    /// <summary>
    /// The text of the entry: what the first entry of grub.cfg boots, with subroot=. Throws <see cref="StoreException"/> where that
    /// cannot be told.
    /// </summary>
    /// <param name="grubConfig">grub.cfg.</param>
    /// <param name="root">The root.</param>
    /// <param name="uuid">UUID of the filesystem that everything is on.</param>
    /// <param name="image">The image, for messages.</param>
    internal static string Make(string grubConfig, string root, string uuid, string image)
    {
        Match linux = LinuxLine().Match(grubConfig);
        Match initrd = linux.Success ? InitrdLine().Match(grubConfig, linux.Index) : Match.Empty;
        if (!linux.Success || !initrd.Success)
        {
            throw new StoreException($"{image}: no entry of /{Folder}/{MainFile} has a kernel and an initrd below /boot; run update-grub in it, or boot it once and see");
        }

        return $$"""
            {{Begin}}: `hacktree image convert` made this; `hacktree image convert --undo` removes it
            {{BootMenu.Choice}}
            if [ -z "$hacktree_root" ]; then set default={{root}}; fi
            menuentry 'HackTree {{root}}' --id {{root}} {
                search --no-floppy --fs-uuid --set=root {{uuid}}
                linux {{linux.Groups[1].Value}} {{linux.Groups[2].Value.Trim()}} subroot={{root}} subroot.rw $hacktree_more
                initrd {{initrd.Groups[1].Value}} /boot/{{Segment}}
            }
            {{End}}

            """;
    }

    /// <summary>A file's bytes with the entry at the end.</summary>
    internal static byte[] Add(byte[] file, string entry) => [.. Remove(file), .. Encoding.Latin1.GetBytes(entry)];

    /// <summary>A file's bytes without the entry: those it had before.</summary>
    internal static byte[] Remove(byte[] file)
    {
        string text = Encoding.Latin1.GetString(file);
        int begin = text.IndexOf(Begin, StringComparison.Ordinal);
        int end = begin < 0 ? -1 : text.IndexOf(End, begin, StringComparison.Ordinal);
        return end < 0 ? file : Encoding.Latin1.GetBytes(text.Remove(begin, end + End.Length + 1 - begin));
    }

    [GeneratedRegex(@"^[ \t]*linux(?:16|efi)?[ \t]+(/boot/\S+)([^\n]*)$", RegexOptions.Multiline)]
    private static partial Regex LinuxLine();

    [GeneratedRegex(@"^[ \t]*initrd(?:16|efi)?[ \t]+(/boot/\S+)", RegexOptions.Multiline)]
    private static partial Regex InitrdLine();
}
