using HackTree.Tests.Support;

namespace HackTree.Tests.Crash;

/// <summary>
/// A physical root with commits "old" and "new", which differ in each way, and "r0", a root of the old one. Commands run in it under strace,
/// which makes their system calls fail.
/// </summary>
internal sealed class TwoCommits : IDisposable
{
    private readonly bool boots;
    private int changes;

    /// <param name="boots">Whether r0 is one that was made to be booted, with an /etc that was changed.</param>
    public TwoCommits(bool boots = false)
    {
        this.boots = boots;
        Change("mkdir -p a b/c; for i in 1 2; do echo $i > a/f$i; echo x$i > b/c/g$i; done; ln -s f1 a/link");
        if (boots)
        {
            Change("mkdir -p etc/d boot dev home proc root run sys sysroot var; mkdir -m 1777 tmp; echo 1 > etc/one; echo 2 > etc/d/two");
        }

        Root.Ok("commit", "-b", "old", Source);
        Change("echo other > a/f2; rm -r b/c; mkdir d; echo d > d/h; ln -sfn f2 a/link; chmod 750 a");
        New = Snapshot.Of(Source);
        Root.Ok("commit", "-b", "new", Source);
        MakeOld();
        Old = Snapshot.Of(Root.At("r0"));
    }

    public PhysicalRoot Root { get; } = new();

    public SortedDictionary<string, string> Old { get; }

    public SortedDictionary<string, string> New { get; }

    private string Source => Root.At("source");

    /// <summary>A command's words, with the names in this directory made paths.</summary>
    public string[] Words(string command) =>
        Root.Arguments(command.Split(' ').Select(word => word is "r0" or "r1" or "source" or "archive" ? Root.At(word) : word));

    /// <summary>Runs a command under strace with more options for strace, and answers what strace wrote of it.</summary>
    public ToolResult RunTraced(string command, IEnumerable<string> options, out string trace)
    {
        string path = Root.At("trace");
        ToolResult result = Tools.Run("strace", ["-f", "-o", path, .. options, Hacktree.Path, "--quiet", .. Words(command)]);
        trace = File.ReadAllText(path);
        return result;
    }

    /// <summary>Gives a commit of "source" something to read, and gc something to remove.</summary>
    public void MakeChange()
    {
        Change($"echo {++changes} > a/f1; echo dropped {changes} > d/h");
        Root.Ok("commit", "-b", "dropped", Source);
        Root.Ok("refs", "delete", "dropped");
        Change($"echo {changes} again > a/f1; echo kept {changes} > d/h");
        File.WriteAllText($"{Root.Store}/tmp/left", "litter");
    }

    /// <summary>Makes the roots what they were: r0 of the old commit, no r1.</summary>
    public void ResetRoots()
    {
        if (Directory.Exists(Root.At("r1")))
        {
            Root.Ok("roots", "rm", Root.At("r1"));
        }

        if (!Directory.Exists(Root.At("r0")) || !Snapshot.Of(Root.At("r0")).SequenceEqual(Old))
        {
            MakeOld();
        }
    }

    /// <summary>
    /// Each root is the old commit or the new one, before gc and after it, and has its record. Both refs are there, and fsck, after gc, reads
    /// every object of both commits.
    /// </summary>
    public void AssertNothingLost()
    {
        AssertRootsWhole();
        Root.AssertCleanAfterGc();
        AssertRootsWhole();
        Assert.All(["r0", "r1"], name => Assert.Equal(Directory.Exists(Root.At(name)), File.Exists($"{Root.Store}/roots/{name}.json")));
        Assert.All(["old", "new"], name => Assert.NotNull(Root.Tip(name)));
    }

    public void Dispose() => Root.Dispose();

    private void MakeOld()
    {
        if (!boots)
        {
            Root.Ok("checkout", "--force", "old", Root.At("r0"));
            return;
        }

        Root.Ok("checkout", "--boot", "--force", "old", Root.At("r0"));
        Tools.Run("sh", "-ec", $"cd {Root.At("r0/etc")}; echo own > own; echo changed > one; rm d/two; touch -d @1600000000 own one d .").Succeeded();
    }

    private void AssertRootsWhole()
    {
        foreach (string place in new[] { Root.At("r0"), Root.At("r1") }.Where(Directory.Exists))
        {
            SortedDictionary<string, string> found = Snapshot.Of(place);
            Snapshot.AssertSame(found.SequenceEqual(Old) ? Old : New, found);
        }
    }

    private void Change(string script)
    {
        Directory.CreateDirectory(Source);
        Tools.Run("sh", "-ec", $"cd {Source}; {script}").Succeeded();
    }
}
