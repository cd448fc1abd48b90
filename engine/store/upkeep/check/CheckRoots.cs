using System.Text;
using HackTree.Model;

namespace HackTree.Store;

/// <summary>Checks the records of roots.</summary>
internal static class CheckRoots
{
    /// <summary>Returns the roots whose commits can be read.</summary>
    internal static List<(Holder Holder, Digest Commit)> Run(ObjectStore store, CheckReport report)
    {
        var found = new List<(Holder Holder, Digest Commit)>();
        foreach (byte[] file in Check.List(store, "roots", report))
        {
            string path = CheckReport.Show("roots", file);
            if (!file.AsSpan().EndsWith(".json"u8) || !ByteText.IsUtf8(file))
            {
                report.Add(new Finding.ForeignFile(path, StoreFolder.Roots));
                continue;
            }

            report.Count(result => result.Roots++);
            string name = Encoding.UTF8.GetString(file)[..^".json".Length];
            if (Find(store, name, path, report) is RootRecord record && CheckRefs.HasCommit(store, record.Commit, Holder.OfRoot(name), report))
            {
                found.Add((Holder.OfRoot(name), record.Commit));
            }
        }

        return found;
    }

    private static RootEntry? Find(ObjectStore store, string name, string path, CheckReport report)
    {
        try
        {
            RootEntry? record = store.Roots.Read(name);
            if (record is BuildRecord)
            {
                report.Note(new Finding.UnfinishedRoot(name, store.Roots.IsInPlace(record)));
            }
            else if (record is not null && !Directory.Exists(store.Roots.AbsolutePath(record)))
            {
                bool isPinned = record is RootRecord { State: RootState.Pinned }, isImage = record.Method == CheckoutMethod.Image;
                report.Note(new Finding.MissingRoot(name, store.Roots.AbsolutePath(record), isPinned, store.Roots.IsInPlace(record), isImage));
            }

            // A record that is gone since the listing belonged to a checkout that has finished.
            return record;
        }
        catch (Exception e) when (CheckReport.IsFinding(e))
        {
            report.Add(new Finding.DamagedRecord(name, report.CauseOf(path, e)));
            return null;
        }
    }
}
