using System.Text;
using HackTree.Model;

namespace HackTree.Store;

/// <summary>Checks packs: index, every block, every tree and commit, and the digest that names the file.</summary>
internal static class CheckPacks
{
    private const string Suffix = ".pack";

    internal static void Run(ObjectStore store, CheckReport report)
    {
        foreach (byte[] name in Check.List(store, "packs", report))
        {
            string text = Encoding.Latin1.GetString(name);
            if (!text.EndsWith(Suffix, StringComparison.Ordinal) || !Digest.TryParse(text.AsSpan(0, text.Length - Suffix.Length), out _))
            {
                report.Add(CheckReport.Show("packs", name), "does not belong there");
            }
        }

        try
        {
            var work = new WorkStack<PackFile>(store.Stop);
            foreach (PackFile pack in store.Packs.Files)
            {
                work.Push(pack);
            }

            work.RunReaders(() => pack => CheckPack(pack, report));
        }
        catch (Exception e) when (CheckReport.IsFinding(e))
        {
            report.Add("packs", e);
        }
    }

    private static void CheckPack(PackFile pack, CheckReport report)
    {
        string path = $"packs/{pack.Name}{Suffix}";
        report.Count(result => result.Packs++);
        try
        {
            // A fault inside says more than that the whole is not what it was.
            if (CheckInside(pack, path, report) == 0 && pack.HashWhole() is var digest && digest != pack.Name)
            {
                report.Add(path, "its bytes are not what its name says");
            }
        }
        catch (Exception e) when (CheckReport.IsFinding(e))
        {
            report.Add(path, e);
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
            report.Add(path, $"{report.Describe(path, e)}, with {rows.Length} trees and commits in it");
            return 1;
        }

        int faults = 0;
        long trees = 0;
        foreach (IndexRow row in rows)
        {
            trees += row.Kind == PackedKind.Tree ? 1 : 0;
            if (PackedObject.FindFault(row, raw.AsMemory(row.Offset, row.Length)) is { } fault)
            {
                report.Add(path, fault);
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
