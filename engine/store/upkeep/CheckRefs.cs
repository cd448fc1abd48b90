using System.Text;
using HackTree.Linux;
using HackTree.Model;

namespace HackTree.Store;

/// <summary>Checks refs.</summary>
internal static class CheckRefs
{
    /// <summary>Answers the refs whose commits can be read.</summary>
    internal static List<(string Name, Digest Commit)> Run(ObjectStore store, CheckReport report)
    {
        var found = new List<(string Name, Digest Commit)>();
        var strangers = new List<string>();
        try
        {
            foreach (string name in store.Refs.List(strangers))
            {
                report.Count(result => result.Refs++);
                if (Find(store, name, report) is { IsNone: false } commit && HasCommit(store, commit, $"refs/{name}", report))
                {
                    found.Add((name, commit));
                }
            }
        }
        catch (LinuxException e)
        {
            report.Add("refs", e);
        }

        foreach (string stranger in strangers)
        {
            report.Add(CheckReport.Show("refs", Encoding.Latin1.GetBytes(stranger)), "no ref can have that name");
        }

        return found;
    }

    /// <summary>Whether the commit that a file names can be read; a problem of that file where it cannot.</summary>
    internal static bool HasCommit(ObjectStore store, Digest commit, string path, CheckReport report)
    {
        try
        {
            if (store.Packs.TryReadCommit(commit, out _))
            {
                return true;
            }

            report.Add(path, $"names commit {commit}, which is missing");
        }
        catch (Exception e) when (CheckReport.IsFinding(e))
        {
            report.Add(path, $"names commit {commit}, which cannot be read: {report.Describe("packs", e)}");
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
            report.Add($"refs/{name}", e);
            return default;
        }
    }
}
