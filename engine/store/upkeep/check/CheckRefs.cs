using System.Text;
using HackTree.Linux;
using HackTree.Model;

namespace HackTree.Store;

/// <summary>Checks refs.</summary>
internal static class CheckRefs
{
    /// <summary>Returns the refs whose commits can be read.</summary>
    internal static List<(Holder Holder, Digest Commit)> Run(ObjectStore store, CheckReport report)
    {
        var found = new List<(Holder Holder, Digest Commit)>();
        var strangers = new List<string>();
        try
        {
            foreach (string name in store.Refs.List(strangers))
            {
                report.Count(result => result.Refs++);
                if (Find(store, name, report) is { IsNone: false } commit && HasCommit(store, commit, Holder.OfRef(name), report))
                {
                    found.Add((Holder.OfRef(name), commit));
                }
            }
        }
        catch (LinuxException e)
        {
            report.Add(new Finding.UnreadableDirectory("refs", report.CauseOf("refs", e)));
        }

        foreach (string stranger in strangers)
        {
            report.Add(new Finding.ForeignFile(CheckReport.Show("refs", Encoding.Latin1.GetBytes(stranger)), StoreFolder.Refs));
        }

        return found;
    }

    /// <summary>Whether the commit of a ref or root can be read. If not, that is a problem.</summary>
    internal static bool HasCommit(ObjectStore store, Digest commit, Holder holder, CheckReport report)
    {
        try
        {
            if (store.Packs.TryReadCommit(commit, out _))
            {
                return true;
            }

            report.Add(new Finding.LostTip(holder, commit, Cause: null));
        }
        catch (Exception e) when (CheckReport.IsFinding(e))
        {
            report.Add(new Finding.LostTip(holder, commit, report.CauseOf(holder.File, e)));
        }

        return false;
    }

    private static Digest Find(ObjectStore store, string name, CheckReport report)
    {
        try
        {
            return store.Refs.Find(name);
        }
        catch (Exception e) when (CheckReport.IsFinding(e))
        {
            report.Add(new Finding.DamagedRef(name, report.CauseOf($"refs/{name}", e)));
            return default;
        }
    }
}
