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

        CheckLogs(store, report);
        CheckAliases(store, report);
        return found;
    }

    private static void CheckLogs(ObjectStore store, CheckReport report)
    {
        try
        {
            store.Refs.ForeignLogs().ForEach(name => report.Add(new Finding.ForeignFile(CheckReport.Show("logs", Refs.PathOf(name)), StoreFolder.Logs)));
        }
        catch (LinuxException e)
        {
            report.Add(new Finding.UnreadableDirectory("logs", report.CauseOf("logs", e)));
        }
    }

    private static void CheckAliases(ObjectStore store, CheckReport report)
    {
        try
        {
            var strangers = new List<byte[]>();
            foreach (string alias in store.Refs.Aliases.List(strangers))
            {
                if (FaultOf(store, alias, report) is { } cause)
                {
                    report.Add(new Finding.BrokenAlias(alias, cause));
                }
            }

            strangers.ForEach(name => report.Add(new Finding.ForeignFile(CheckReport.Show(Aliases.Room, name), StoreFolder.Aliases)));
        }
        catch (LinuxException e)
        {
            report.Add(new Finding.UnreadableDirectory(Aliases.Room, report.CauseOf(Aliases.Room, e)));
        }
    }

    /// <summary>What is wrong with an alias; null for nothing.</summary>
    private static Cause? FaultOf(ObjectStore store, string alias, CheckReport report)
    {
        try
        {
            (string end, Digest commit) = store.Refs.Follow(alias);
            return commit.IsNone ? new Cause.Damage($"there is no ref '{end}'", new Remedy.SetAlias())
                : end == alias ? new Cause.Damage($"there is a ref '{alias}' too, which hides the alias")
                : null;
        }
        catch (Exception e) when (CheckReport.IsFinding(e))
        {
            return report.CauseOf(Aliases.PathOf(alias), e);
        }
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
            return store.Refs.FindOwn(name);
        }
        catch (Exception e) when (CheckReport.IsFinding(e))
        {
            report.Add(new Finding.DamagedRef(name, report.CauseOf($"refs/{name}", e)));
            return default;
        }
    }
}
