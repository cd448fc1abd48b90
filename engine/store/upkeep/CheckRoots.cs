using System.Text;
using HackTree.Model;

namespace HackTree.Store;

/// <summary>Checks the records of roots.</summary>
internal static class CheckRoots
{
    /// <summary>Answers the roots whose commits can be read.</summary>
    internal static List<(string Name, Digest Commit)> Run(ObjectStore store, CheckReport report)
    {
        var found = new List<(string Name, Digest Commit)>();
        foreach (byte[] file in Check.List(store, "roots", report))
        {
            string path = CheckReport.Show("roots", file);
            if (!file.AsSpan().EndsWith(".json"u8) || !ByteText.IsUtf8(file))
            {
                report.Add(path, "does not belong there");
                continue;
            }

            report.Count(result => result.Roots++);
            string name = Encoding.UTF8.GetString(file)[..^".json".Length];
            if (Find(store, name, path, report) is RootRecord record && CheckRefs.HasCommit(store, record.Commit, path, report))
            {
                found.Add(($"root {name}", record.Commit));
            }
        }

        return found;
    }

    private static RootEntry? Find(ObjectStore store, string name, string path, CheckReport report)
    {
        try
        {
            RootEntry? record = store.Roots.Read(name);
            if (record is null)
            {
                // What went since it was listed is a checkout that has finished.
                if (Path.Exists($"{store.Path}/roots/{name}.json"))
                {
                    report.Add(path, "not a root's record");
                }
            }
            else if (record is BuildRecord)
            {
                report.Note($"{path}: the root is being built, or its building was interrupted; gc cleans up{(store.Roots.IsInPlace(record) ? "" : " where the store is at home")}");
            }
            else if (!Directory.Exists(store.Roots.AbsolutePath(record)))
            {
                bool isPinned = record is RootRecord { State: RootState.Pinned };
                report.Note($"{path}: the root {store.Roots.AbsolutePath(record)} is not there; "
                    + (store.Roots.IsInPlace(record) && !isPinned
                        ? "gc drops the record"
                        : $"should it never come back, `hacktree roots {(isPinned ? "unpin` and `roots " : "")}rm` forgets it"));
            }

            return record;
        }
        catch (Exception e) when (CheckReport.IsFinding(e))
        {
            report.Add(path, e);
            return null;
        }
    }
}
