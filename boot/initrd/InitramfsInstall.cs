using System.Text;
using HackTree.Linux;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Boot;

/// <summary>Programs that make initrds.</summary>
[Flags]
public enum InitramfsKind
{
    /// <summary>None.</summary>
    None = 0,
    /// <summary>Debian's initramfs-tools, with update-initramfs.</summary>
    InitramfsTools = 1,
    /// <summary>dracut.</summary>
    Dracut = 2,
}

/// <summary>
/// Installs HackTree's files where the programs that make initrds find them, so that every new initrd has them. Removes them again too.
/// </summary>
public static class InitramfsInstall
{
    private const string ToolsFolder = "usr/share/initramfs-tools";
    private const string ToolsHook = ToolsFolder + "/hooks/hacktree";
    private const string ToolsOwnFolder = ToolsFolder + "/hacktree";
    private const string ModulesFolder = "usr/lib/dracut/modules.d";
    private const string ModuleFolder = ModulesFolder + "/90hacktree";

    /// <summary>The programs that a root has.</summary>
    public static InitramfsKind Find(string root) =>
        (Directory.Exists(Path.Combine(root, ToolsFolder, "hooks")) ? InitramfsKind.InitramfsTools : 0)
        | (Directory.Exists(Path.Combine(root, ModulesFolder)) ? InitramfsKind.Dracut : 0);

    /// <summary>Writes the files and returns their paths below the root. Existing files are replaced.</summary>
    public static IReadOnlyList<string> Install(string root, InitramfsKind kinds)
    {
        using SafeFileHandle top = OpenPath.Directory(root);
        var files = FilesOf(kinds).ToList();
        foreach (BootFile file in files)
        {
            using SafeFileHandle folder = OpenFolder(top, root, Folder(file.Path), isMade: true)!;
            byte[] name = Encoding.UTF8.GetBytes(Path.GetFileName(file.Path));
            DurableFile.Write(folder, name, file.Content, file.Permissions, Path.Combine(root, file.Path));
        }

        return [.. files.Select(file => file.Path)];
    }

    /// <summary>
    /// Removes the files, and directories that held only them. Returns the paths below the root of what was removed.
    /// </summary>
    public static IReadOnlyList<string> Remove(string root, InitramfsKind kinds)
    {
        using SafeFileHandle top = OpenPath.Directory(root);
        var removed = new List<string>();
        foreach (string path in FilesOf(kinds).Select(OwnPlace).Distinct())
        {
            using SafeFileHandle? folder = OpenFolder(top, root, Folder(path), isMade: false);
            byte[] name = Encoding.UTF8.GetBytes(Path.GetFileName(path));
            if (folder != null && Sys.Stat(folder, name, out _) == Errno.None)
            {
                TreeRemoval.Remove(folder, name, Path.Combine(root, path));
                removed.Add(path);
            }
        }

        return removed;
    }

    /// <summary>
    /// What to remove for a file. A directory that belongs to HackTree alone goes as a whole, because an older version may have left files in it.
    /// </summary>
    private static string OwnPlace(BootFile file) =>
        file.Path.StartsWith(ToolsOwnFolder + "/", StringComparison.Ordinal) ? ToolsOwnFolder
        : file.Path.StartsWith(ModuleFolder + "/", StringComparison.Ordinal) ? ModuleFolder
        : file.Path;

    private static IEnumerable<BootFile> FilesOf(InitramfsKind kinds) =>
        (kinds.HasFlag(InitramfsKind.InitramfsTools) ? ToolsFiles() : []).Concat(kinds.HasFlag(InitramfsKind.Dracut) ? DracutFiles() : []);

    /// <summary>The files for initramfs-tools. mkinitramfs copies scripts/ and conf.d/ itself; the hook copies hacktree/.</summary>
    private static IEnumerable<BootFile> ToolsFiles()
    {
        const string Configuration = "conf/";
        yield return BootSegment.Plain(ToolsHook, BootFiles.Read("initramfs-hook/hacktree"));
        yield return new BootFile($"{ToolsFolder}/{BootSegment.VersionPath}", FileModes.PublicFile, BootSegment.VersionText());
        foreach (BootFile file in BootSegment.Files)
        {
            string path = file.Path.StartsWith(Configuration, StringComparison.Ordinal) ? file.Path[Configuration.Length..] : file.Path;
            yield return file with { Path = $"{ToolsFolder}/{path}" };
        }
    }

    /// <summary>The files for dracut: its module, and all of hacktree/, which it shares with initramfs-tools.</summary>
    private static IEnumerable<BootFile> DracutFiles()
    {
        foreach (string path in BootFiles.Under("dracut"))
        {
            yield return BootSegment.Plain($"{ModuleFolder}/{path}", BootFiles.Read("dracut/" + path));
        }

        foreach (BootFile file in BootSegment.Files.Where(file => Folder(file.Path) == BootSegment.Folder))
        {
            yield return file with { Path = $"{ModuleFolder}/{Path.GetFileName(file.Path)}" };
        }
    }

    private static string Folder(string path) => path[..Math.Max(0, path.LastIndexOf('/'))];

    /// <summary>Opens a directory below the root, without following a symbolic link. Null if it is missing and not to be made.</summary>
    private static SafeFileHandle? OpenFolder(SafeFileHandle top, string root, string path, bool isMade)
    {
        Errno errno = Sys.OpenBeneath(top, Encoding.UTF8.GetBytes(path), OpenFlags.Directory, out SafeFileHandle folder);
        if (errno == Errno.ENOENT && isMade)
        {
            MakeFolders(top, root, path);
            errno = Sys.OpenBeneath(top, Encoding.UTF8.GetBytes(path), OpenFlags.Directory, out folder);
        }

        if (errno == Errno.ENOENT && !isMade)
        {
            return null;
        }

        errno.ThrowIfFailed("openat2", Path.Combine(root, path));
        return folder;
    }

    private static void MakeFolders(SafeFileHandle top, string root, string path)
    {
        for (int slash = path.IndexOf('/', StringComparison.Ordinal); ; slash = path.IndexOf('/', slash + 1))
        {
            string folder = slash < 0 ? path : path[..slash];
            Errno errno = Errno.EEXIST;
            if (Sys.OpenBeneath(top, Encoding.UTF8.GetBytes(folder), OpenFlags.Directory | OpenFlags.Path, out SafeFileHandle there) != Errno.None)
            {
                string above = Folder(folder);
                ReadOnlySpan<byte> name = above.Length == 0 ? "."u8 : Encoding.UTF8.GetBytes(above);
                Sys.OpenBeneath(top, name, OpenFlags.Directory, out SafeFileHandle parent)
                    .ThrowIfFailed("openat2", Path.Combine(root, above));
                using (parent)
                {
                    errno = Sys.MakeDirectory(parent, Encoding.UTF8.GetBytes(Path.GetFileName(folder)), FileModes.PublicDirectory);
                }
            }

            there.Dispose();
            (errno == Errno.EEXIST ? Errno.None : errno).ThrowIfFailed("mkdirat", Path.Combine(root, folder));
            if (slash < 0)
            {
                return;
            }
        }
    }
}
