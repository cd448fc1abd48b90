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
    private static readonly string[] Rooms = ["cache", "files", "format", "lock", "logs", "packs", "refs", "remotes", "roots", Signatures.Room, "tmp"];

    /// <summary>
    /// Checks a store. <paramref name="onProblem"/> gets each problem as it is found, one call at a time. Problems of objects come at the
    /// end, when it is known who needs them. Throws <see cref="StoreException"/> if this user cannot read everything.
    /// </summary>
    public static CheckResult Run(ObjectStore store, Action<Finding> onProblem, Progress? progress)
    {
        store.RequireReadable();

        var report = new CheckReport(store.Path, onProblem);
        CheckRooms(store, report);
        CheckPacks.Run(store, report);
        List<(Holder Holder, Digest Commit)> holders = CheckRefs.Run(store, report);
        holders.AddRange(CheckRoots.Run(store, report));

        var needs = new NeededObjects(store, report, holders);
        needs.Gather();
        var objects = new CheckObjects(store, report, needs.Expected, progress);
        objects.Run();
        needs.Explain(objects);
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
        foreach (byte[] name in List(store, "files", report))
        {
            if (name.Length != 2 || !name.All(b => char.IsAsciiHexDigitLower((char)b)))
            {
                report.Add(new Finding.ForeignFile(CheckReport.Show("files", name), StoreFolder.Files));
            }
        }
    }

    /// <summary>Whether a signature is right is no question of the store's: whoever asks for it is told.</summary>
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

    /// <summary>The names in one of the store's directories. If it cannot be read, that is a problem, and there are no names.</summary>
    internal static List<byte[]> List(ObjectStore store, string room, CheckReport report)
    {
        var names = new List<byte[]>();
        Errno errno = Sys.Open(Sys.WorkingDirectory, ByteText.FromArgument($"{store.Path}/{room}"), OpenFlags.ReadOnly | OpenFlags.Directory, out SafeFileHandle directory);
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
