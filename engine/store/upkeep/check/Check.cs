using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>
/// fsck: reads everything and compares it with its name. Changes nothing. Goes on after every problem, so that one run reports all of them. If
/// something needs the damaged or missing thing, the <see cref="Finding"/> says what.
/// </summary>
public static class Check
{
    private static readonly string[] Rooms =
    [
        Aliases.Room, "cache", DamagedInodes.Room, "files", "format", Images.Room, "lock", "logs", "packs",
        RefRecords.Room, "refs", Remotes.Room, "roots", Signatures.Room, "tmp",
    ];

    /// <summary>
    /// Checks a store. <paramref name="onProblem"/> gets each problem as it is found, one call at a time. Problems of objects come at the
    /// end, when it is known who needs them. Throws <see cref="StoreException"/> if this user cannot read everything.
    /// </summary>
    /// <param name="store">The store.</param>
    /// <param name="onProblem">Gets the problems.</param>
    /// <param name="progress">Counts objects and bytes.</param>
    /// <param name="readsAll">Whether to read also what has fs-verity, which finds damage of the disk that nobody has read since.</param>
    public static CheckResult Run(ObjectStore store, Action<Finding> onProblem, Progress? progress, bool readsAll = false)
    {
        store.RequireReadable();

        var report = new CheckReport(store.Path, onProblem);
        CheckRooms(store, report);
        CheckPacks.Run(store, report);
        List<(Holder Holder, Digest Commit)> holders = CheckRefs.Run(store, report);
        holders.AddRange(CheckRoots.Run(store, report));

        var needs = new NeededObjects(store, report, holders);
        needs.Gather();
        var objects = new CheckObjects(store, report, needs.Expected, progress, measures: !readsAll);
        objects.Run();
        needs.Explain(objects);
        report.Result.Holders = holders;
        return report.Result;
    }

    private static void CheckRooms(ObjectStore store, CheckReport report)
    {
        foreach (byte[] name in List(store, ".", report))
        {
            if (!Rooms.Contains(ByteText.Quote(name)))
            {
                report.Add(new Finding.ForeignFile(ByteText.Quote(name), StoreFolder.Top));
            }
        }

        CheckSignatures(store, report);
        CheckDamaged(store, report);
        CheckImages(store, report);
        foreach (byte[] name in List(store, "files", report))
        {
            if (name.Length != 2 || !name.All(b => char.IsAsciiHexDigitLower((char)b)))
            {
                report.Add(new Finding.ForeignFile(CheckReport.Show("files", name), StoreFolder.Files));
            }
        }
    }

    /// <summary>Whether a signature is right is not asked here: the store does not know the keys.</summary>
    private static void CheckSignatures(ObjectStore store, CheckReport report)
    {
        try
        {
            var strangers = new List<byte[]>();
            foreach (Digest commit in store.Signatures.List(strangers))
            {
                if (!store.Signatures.IsReadable(commit))
                {
                    strangers.Add(ByteText.FromArgument(Signatures.FileName(commit)));
                }
            }

            strangers.ForEach(name => report.Add(new Finding.ForeignFile(CheckReport.Show(Signatures.Room, name), StoreFolder.Signatures)));
        }
        catch (LinuxException e)
        {
            report.Add(new Finding.UnreadableDirectory(Signatures.Room, report.CauseOf(Signatures.Room, e)));
        }
    }

    private static void CheckDamaged(ObjectStore store, CheckReport report)
    {
        try
        {
            var strangers = new List<byte[]>();
            foreach (DamagedInode inode in store.Damaged.List(strangers))
            {
                report.Note(new Finding.KeptDamage(inode, store.Damaged.LinksOf(inode), store.Blobs.TryStat(inode.Object, out _)));
            }

            strangers.ForEach(name => report.Add(new Finding.ForeignFile(CheckReport.Show(DamagedInodes.Room, name), StoreFolder.Damaged)));
        }
        catch (LinuxException e)
        {
            report.Add(new Finding.UnreadableDirectory(DamagedInodes.Room, report.CauseOf(DamagedInodes.Room, e)));
        }
    }

    private static void CheckImages(ObjectStore store, CheckReport report)
    {
        try
        {
            var strangers = new List<byte[]>();
            foreach (StoredImage image in store.Images.List(strangers))
            {
                try
                {
                    if (!store.Images.IsRight(image))
                    {
                        report.Add(new Finding.DamagedImage(image, new Cause.Damage("its bytes are not those that its name says")));
                    }
                }
                catch (Exception e) when (CheckReport.IsFinding(e))
                {
                    report.Add(new Finding.DamagedImage(image, report.CauseOf(image.Path, e)));
                }
            }

            strangers.ForEach(name => report.Add(new Finding.ForeignFile(CheckReport.Show(Images.Room, name), StoreFolder.Images)));
        }
        catch (LinuxException e)
        {
            report.Add(new Finding.UnreadableDirectory(Images.Room, report.CauseOf(Images.Room, e)));
        }
    }

    /// <summary>The names in one of the store's directories. If it cannot be read, that is a problem, and there are no names.</summary>
    internal static List<byte[]> List(ObjectStore store, string room, CheckReport report)
    {
        var names = new List<byte[]>();
        byte[] path = ByteText.FromArgument($"{store.Path}/{room}");
        Errno errno = Sys.Open(Sys.WorkingDirectory, path, OpenFlags.ReadOnly | OpenFlags.Directory, out SafeFileHandle directory);
        using (directory)
        {
            if (errno == Errno.ENOENT && StoreRooms.IsWholeWithout(room))
            {
                return names;
            }

            try
            {
                errno.ThrowIfFailed("openat", room);
                var reader = new DirectoryReader();
                reader.Start(directory, room);
                while (reader.Next())
                {
                    names.Add(reader.Name.ToArray());
                }
            }
            catch (LinuxException e)
            {
                report.Add(new Finding.UnreadableDirectory(room, report.CauseOf(room, e)));
            }
        }

        return names;
    }
}
