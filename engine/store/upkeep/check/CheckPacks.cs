using System.Collections.Concurrent;
using System.Text;
using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>Checks packs: index, every block, every tree and commit, and the digest that names the file.</summary>
internal static class CheckPacks
{
    internal static void Run(ObjectStore store, CheckReport report)
    {
        // Each pack is opened here, so that a pack that cannot be opened does not hide the others.
        byte[] path = ByteText.FromArgument($"{store.Path}/packs");
        Errno errno = Sys.Open(Sys.WorkingDirectory, path, OpenFlags.Path | OpenFlags.Directory, out SafeFileHandle packs);
        using (packs)
        {
            if (errno == Errno.None)
            {
                CheckAll(packs, store, report);
            }
            else
            {
                report.Add(new Finding.UnreadableDirectory("packs", new Cause.FailedCall(errno, "openat")));
            }
        }
    }

    /// <summary>
    /// Checks all packs. Beside this, a commit may merge packs (<see cref="PackMerge"/>): then some are gone, and one that was not listed has what
    /// they had.
    /// </summary>
    private static void CheckAll(SafeFileHandle packs, ObjectStore store, CheckReport report)
    {
        var listed = new HashSet<string>();
        var gone = new ConcurrentDictionary<Digest, bool>();
        int before;
        do
        {
            before = gone.Count;
            var work = new WorkStack<Digest>(store.Stop);
            foreach (byte[] name in Check.List(store, "packs", report))
            {
                Enter(name, listed, gone, work, report);
            }

            work.RunReaders(() => pack => CheckPack(packs, pack, store, report, gone));
        }
        while (gone.Count > before);
    }

    private static void Enter(byte[] name, HashSet<string> listed, ConcurrentDictionary<Digest, bool> gone, WorkStack<Digest> work, CheckReport report)
    {
        bool isNew = listed.Add(Encoding.Latin1.GetString(name));
        if (PackWriter.TryParseFileName(name, out Digest pack))
        {
            if (isNew || gone.ContainsKey(pack))
            {
                work.Push(pack);
            }
        }
        else if (isNew)
        {
            report.Add(new Finding.ForeignFile(CheckReport.Show("packs", name), StoreFolder.Packs));
        }
    }

    private static void CheckPack(SafeFileHandle packs, Digest name, ObjectStore store, CheckReport report, ConcurrentDictionary<Digest, bool> gone)
    {
        string path = $"packs/{name}.pack";
        try
        {
            using PackFile? pack = PackFile.TryOpen(packs, name, $"{store.Path}/{path}");
            if (pack is null)
            {
                // A name that is listed twice and never there is damage of the filesystem.
                _ = gone.TryAdd(name, true) ? true : throw new LinuxException(Errno.ENOENT, "openat", $"{store.Path}/{path}");
                return;
            }

            report.Count(result => result.Packs++);

            // A fault inside the pack says more than a wrong digest of the whole file.
            if (CheckInside(pack, path, report) == 0 && pack.HashWhole() != name)
            {
                report.Add(new Finding.DamagedPack(name, new Cause.Damage("its bytes are not what its name says")));
            }
        }
        catch (Exception e) when (CheckReport.IsFinding(e))
        {
            report.Add(new Finding.DamagedPack(name, report.CauseOf(path, e)));
        }
    }

    private static int CheckInside(PackFile pack, string path, CheckReport report)
    {
        int faults = 0;
        IndexRow[] rows = pack.RowsInBlockOrder();
        int next = 0;
        for (int block = 0; block < pack.BlockCount; block++)
        {
            int first = next;
            while (next < rows.Length && rows[next].Block == block)
            {
                next++;
            }

            faults += CheckBlock(pack, block, rows.AsSpan(first..next), path, report);
        }

        return faults;
    }

    private static int CheckBlock(PackFile pack, int block, ReadOnlySpan<IndexRow> rows, string path, CheckReport report)
    {
        byte[] raw;
        try
        {
            raw = pack.ReadBlock(block);
        }
        catch (Exception e) when (CheckReport.IsFinding(e))
        {
            report.Add(new Finding.DamagedPack(pack.Name, report.CauseOf(path, e), rows.Length));
            return 1;
        }

        int faults = 0;
        long trees = 0;
        foreach (IndexRow row in rows)
        {
            trees += row.Kind == PackedKind.Tree ? 1 : 0;
            if (PackedObject.FindFault(row, raw.AsMemory(row.Offset, row.Length)) is { } fault)
            {
                report.Add(new Finding.DamagedPack(pack.Name, new Cause.Damage(fault)));
                faults++;
            }
        }

        long commits = rows.Length - trees;
        report.Count(result =>
        {
            result.Trees += trees;
            result.Commits += commits;
        });
        return faults;
    }
}
