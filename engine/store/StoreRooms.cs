using System.Text;
using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>
/// Makes the directories of a store. Programs that copy files often leave out empty directories (git, rsync -m, object stores). So a store is
/// whole without those directories that may be empty in use: tmp/, logs/, roots/, and those of the fan-out. Whoever opens the store to write
/// makes them again. A store without files/, packs/ or refs/ is damaged.
/// </summary>
internal static class StoreRooms
{
    private const int Fans = 256;

    // The two entries "." and "..", which a directory's link count has, beside one for each directory in it.
    private const int OwnLinks = 2;

    private static readonly string[] MayBeMissing = ["tmp", "logs", "roots"];

    /// <summary>All directories of a new store. cache/ is made when it is first needed.</summary>
    internal static IReadOnlyList<string> All { get; } = ["files", "packs", "refs", "logs", "roots", "tmp"];

    /// <summary>Whether a store without this directory is whole.</summary>
    internal static bool IsWholeWithout(string room) => MayBeMissing.Contains(room);

    /// <summary>The permissions of a directory. Old versions of set-uid programs stay in files/ and tmp/. Nobody but the owner may run them there.</summary>
    internal static uint ModeOf(string room) => room is "files" or "tmp" ? FileModes.OwnerOnly : FileModes.PublicDirectory;

    /// <summary>Makes every directory of a new store. Those that exist stay.</summary>
    internal static void Make(SafeFileHandle store, string path)
    {
        foreach (string room in All)
        {
            using SafeFileHandle made = MakeDirectory(store, ByteText.FromArgument(room), ModeOf(room), path);
            if (room == "files")
            {
                MakeFans(made, path);
            }
        }
    }

    /// <summary>Makes those directories of an existing store that are missing and may be.</summary>
    internal static void MakeMissing(SafeFileHandle store, string path)
    {
        foreach (string room in MayBeMissing)
        {
            byte[] name = ByteText.FromArgument(room);
            if (Sys.Stat(store, name, out _) == Errno.ENOENT)
            {
                MakeDirectory(store, name, ModeOf(room), path).Dispose();
            }
        }

        // Not every filesystem counts directories by links (btrfs). There, each name is looked up.
        if (Sys.Stat(store, "files"u8, out FileStatus status) == Errno.None
            && status.LinkCount != Fans + OwnLinks
            && Sys.Open(store, "files"u8, OpenFlags.Path | OpenFlags.Directory | OpenFlags.NoFollow, out SafeFileHandle files) == Errno.None)
        {
            using (files)
            {
                MakeFans(files, path);
            }
        }
    }

    /// <summary>
    /// Makes a directory with exactly that mode, or opens the one that exists. Objects must not inherit anything from the directory above the
    /// store, such as default ACLs or the set-gid bit.
    /// </summary>
    private static SafeFileHandle MakeDirectory(SafeFileHandle parent, ReadOnlySpan<byte> name, uint mode, string subject)
    {
        Errno errno = Sys.MakeDirectory(parent, name, FileModes.OwnerOnly);
        if (errno != Errno.EEXIST)
        {
            errno.ThrowIfFailed("mkdirat", $"{subject}/{Encoding.ASCII.GetString(name)}");
        }

        Sys.Open(parent, name, OpenFlags.ReadOnly | OpenFlags.Directory | OpenFlags.NoFollow, out SafeFileHandle made)
            .ThrowIfFailed("openat", $"{subject}/{Encoding.ASCII.GetString(name)}");
        try
        {
            SetUp(made, mode, subject);
            return made;
        }
        catch
        {
            made.Dispose();
            throw;
        }
    }

    /// <summary>Takes away what a directory inherited, and sets its mode.</summary>
    internal static void SetUp(SafeFileHandle directory, uint mode, string subject)
    {
        Xattrs.RemoveInheritedAcls(directory, subject);
        Sys.SetMode(directory, mode).ThrowIfFailed("fchmod", subject);
    }

    private static void MakeFans(SafeFileHandle files, string path)
    {
        Span<byte> fan = stackalloc byte[2];
        for (int i = 0; i < Fans; i++)
        {
            Convert.TryToHexStringLower([(byte)i], fan, out _);
            if (Sys.Stat(files, fan, out FileStatus status) != Errno.None || status.Mode != FileModes.PublicDirectory)
            {
                MakeDirectory(files, fan, FileModes.PublicDirectory, $"{path}/files").Dispose();
            }
        }
    }
}
