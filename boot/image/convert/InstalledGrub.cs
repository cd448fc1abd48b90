using System.Text;
using System.Text.RegularExpressions;
using HackTree.Store;

namespace HackTree.Boot;

/// <summary>
/// The menu that a conversion adds to an installed GRUB, between two lines that mark its beginning and end. Debian's grub.cfg reads custom.cfg
/// at its end, and update-grub does not change custom.cfg. So the menu goes there, or into grub.cfg if that does not read custom.cfg.
/// </summary>
internal static partial class InstalledGrub
{
    internal const string Folder = "boot/grub";
    internal const string MainFile = "grub.cfg";
    internal const string CustomFile = "custom.cfg";

    private const string Begin = "# hacktree: begin";
    private const string End = "# hacktree: end";

    /// <summary>The name of the file that gets the menu, for the text of a grub.cfg.</summary>
    internal static string FileFor(string grubConfig) => grubConfig.Contains(CustomFile, StringComparison.Ordinal) ? CustomFile : MainFile;

    /// <summary>
    /// The menu's text. Its entries have the kernel options of the first entry of grub.cfg. The converted root's files belong to it alone, so it
    /// may be written to. Throws <see cref="StoreException"/> if the options cannot be found.
    /// </summary>
    /// <param name="grubConfig">The text of grub.cfg.</param>
    /// <param name="root">The root.</param>
    /// <param name="uuid">The UUID of the filesystem.</param>
    /// <param name="image">The image, for messages.</param>
    internal static string Make(string grubConfig, string root, string uuid, string image)
    {
        Match linux = LinuxLine().Match(grubConfig);
        if (!linux.Success || !InitrdLine().IsMatch(grubConfig, linux.Index))
        {
            throw new StoreException(
                $"{image}: no entry of /{Folder}/{MainFile} has a kernel and an initrd below /boot; run update-grub in it, or boot it once and see");
        }

        return $$"""
            {{Begin}}: `hacktree image convert` made this; `hacktree image convert --undo` removes it
            search --no-floppy --fs-uuid --set=root {{uuid}}
            {{GrubMenu.Commands(root, linux.Groups[1].Value.Trim(), "subroot.rw")}}
            {{End}}

            """;
    }

    /// <summary>A file's bytes with the menu at the end. A newline comes before it, because the file's last line may lack one.</summary>
    internal static byte[] Add(byte[] file, string menu) => [.. Remove(file), (byte)'\n', .. Encoding.Latin1.GetBytes(menu)];

    /// <summary>A file's bytes without the menu, as they were before <see cref="Add"/>.</summary>
    internal static byte[] Remove(byte[] file)
    {
        string text = Encoding.Latin1.GetString(file);
        int begin = text.IndexOf(Begin, StringComparison.Ordinal);
        int end = begin < 0 ? -1 : text.IndexOf(End, begin, StringComparison.Ordinal);
        if (end < 0)
        {
            return file;
        }

        int rest = Math.Min(end + End.Length + 1, text.Length);
        return Encoding.Latin1.GetBytes(text[..(begin > 0 && text[begin - 1] == '\n' ? begin - 1 : begin)] + text[rest..]);
    }

    [GeneratedRegex(@"^[ \t]*linux(?:16|efi)?[ \t]+/boot/\S+([^\n]*)$", RegexOptions.Multiline)]
    private static partial Regex LinuxLine();

    [GeneratedRegex(@"^[ \t]*initrd(?:16|efi)?[ \t]+/boot/", RegexOptions.Multiline)]
    private static partial Regex InitrdLine();
}
