using CsCheck;
using HackTree.Boot;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using HackTree.Tests.Cli;

namespace HackTree.Tests.Boot;

/// <summary>The rules of docs/etc-merge.md.</summary>
public sealed class EtcMergeTests : IDisposable
{
    /// <summary>Absent; three files; A with another mode; a link out of the tree; a directory.</summary>
    private const string States = "-ABCMLD";

    /// <summary>Each name is what the old commit, I and the new commit have under that name.</summary>
    private static readonly string[] Names = [.. from o in States from m in States from t in States select $"{o}{m}{t}"];

    private readonly CliWorld world = new();

    public EtcMergeTests() => world.Shell("mkdir old new old/etc new/etc outside; echo secret > outside/child").Succeeded();

    public void Dispose() => world.Dispose();

    [Fact]
    public void Every_three_states_of_a_name_give_what_the_table_says()
    {
        MakeAll();
        Dictionary<string, EtcChangeKind> told = Merge("r2").ToDictionary(change => ByteText.Quote(change.Path), change => change.Kind);
        Assert.Equal(343, Names.Length);
        foreach (string name in Names)
        {
            (char old, char mine, char theirs) = (name[0], name[1], name[2]);
            bool isTheirs = mine == theirs || mine == old, isMine = theirs == old;
            Assert.Equal($"{name} {(isTheirs ? theirs : mine)}", $"{name} {StateOf(name)}");
            Assert.Equal($"{name} {(isTheirs || isMine ? '-' : theirs)}", $"{name} {StateOf(name + ".hacktree-new")}");
            EtcChangeKind? kind = isTheirs ? null
                : isMine ? mine == '-' ? EtcChangeKind.Deleted : EtcChangeKind.Mine
                : theirs == '-' ? EtcChangeKind.ChangedButDropped
                : mine == '-' ? EtcChangeKind.DeletedButChanged : EtcChangeKind.Conflict;
            Assert.Equal($"{name} {kind}", $"{name} {(told.TryGetValue(name, out EtcChangeKind found) ? found : null)}");
        }

        Assert.Equal("secret\n", File.ReadAllText(world.At("outside/child")));
        Assert.False(Directory.Exists(world.At("r2/etc/.hacktree-merge")));
        world.Run("fsck").Succeeded();

        // A second run changes no inode.
        string listing = Inodes();
        Merge("r2");
        Assert.Equal(listing, Inodes());
    }

    /// <summary>A killed merge leaves some names done, some not there, and its own directory. Which ones is random here.</summary>
    [Fact]
    public void A_merge_that_was_killed_is_run_again()
    {
        MakeAll();
        Merge("r2");
        string whole = Listing("r2");
        world.Run("checkout", "-q", "--boot", "new", "r3").Succeeded();
        Gen.Int[0, 2].Array[Names.Length].Sample(
            states =>
            {
                File.WriteAllLines(world.At("done"), Names.Where((_, i) => states[i] > 0));
                File.WriteAllLines(world.At("made"), Names.Where((_, i) => states[i] > 1));
                world.Shell(
                    """
                    rm -rf r3/etc; cp -a new/etc r3/etc; mkdir -p r3/etc/.hacktree-merge/new; echo x > r3/etc/.hacktree-merge/new/y
                    (cd r3/etc; xargs rm -rf --) < done
                    made=(); while read -r name; do for one in r2/etc/$name{,.hacktree-new}; do [ -e $one -o -L $one ] && made+=($one); done; done < made
                    cp -a "${made[@]}" r3/etc/
                    """).Succeeded();
                Merge("r3");
                Assert.Equal(whole, Listing("r3"));
            },
            iter: 4,
            threads: 1);
    }

    [Fact]
    public void Directories_are_merged_by_entry_and_odd_names_stay_bytes()
    {
        Prepare(
            old: "mkdir d dropped; echo 1 > d/same; echo 1 > d/mine; echo 1 > d/theirs; echo 1 > d/both; echo 1 > dropped/kept; echo 1 > dropped/gone",
            mine: """
                echo 2 > d/mine; echo 2 > d/both; echo 2 > d/added; chmod 700 d; echo 2 > dropped/kept; : > d/$'odd\377\n'
                mkdir -p only/deep; echo x > only/deep/file; ln -s ../../../outside only/out
                """,
            theirs: "mkdir d; echo 1 > d/same; echo 1 > d/mine; echo 3 > d/theirs; echo 3 > d/both; echo 3 > d/new");
        Merge("r2");
        Assert.Equal("same:1 mine:2 theirs:3 both:2 both.hacktree-new:3 added:2 new:3 mode:700", world.Shell(
            "cd r2/etc/d; for n in same mine theirs both both.hacktree-new added new; do printf '%s:%s ' $n $(cat $n); done; printf mode:; stat -c %a .").Succeeded().TrimEnd());
        Assert.Equal("kept\n", world.Shell("ls r2/etc/dropped").Succeeded());
        world.Shell("test -f r2/etc/d/$'odd\\377\\n' -a -f r2/etc/only/deep/file -a -L r2/etc/only/out -a ! -e r2/etc/only/out.hacktree-new").Succeeded();
    }

    [Fact]
    public void A_name_too_long_for_the_suffix_is_cut()
    {
        string name = new('n', 255);
        Prepare($"echo 1 > {name}", $"echo 2 > {name}", $"echo 3 > {name}");
        Merge("r2");
        Assert.Equal("2\n", File.ReadAllText(world.At($"r2/etc/{name}")));
        Assert.Equal("3\n", File.ReadAllText(world.At($"r2/etc/{name[..242]}.hacktree-new")));
    }

    [Fact]
    public void Accounts_are_merged_one_by_one()
    {
        Prepare(
            old: @"printf 'root:x:0:\nadm:x:4:\nusers:x:100:\n' > group; printf 'root:x:0:0::/root:/bin/sh\nold:x:9:9::/:/\n' > passwd; chmod 640 passwd",
            mine: @"printf 'root:x:0:\nadm:x:4:me\nusers:x:100:me,you\nme:x:998:\n' > group;
                printf 'root:x:0:0::/root:/bin/bash\nold:x:9:9::/:/\nme:x:998:998::/home/me:/bin/sh\n' > passwd",
            theirs: @"printf 'root:x:0:\nadm:x:4:syslog\nusers:x:100:\nd:x:997:\n' > group;
                printf 'root:x:0:0:r:/root:/bin/sh\nd:x:998:997::/:/\n' > passwd; chmod 600 passwd");
        IReadOnlyList<EtcChange> changes = Merge("r2");
        Assert.Equal("root:x:0:\nadm:x:4:me,syslog\nusers:x:100:me,you\nme:x:998:\nd:x:997:\n", File.ReadAllText(world.At("r2/etc/group")));
        Assert.Equal(
            "root:x:0:0:r:/root:/bin/bash\nme:x:998:998::/home/me:/bin/sh\nd:x:998:997::/:/\n",
            File.ReadAllText(world.At("r2/etc/passwd")));
        Assert.Equal("600\n", world.Shell("stat -c %a r2/etc/passwd").Succeeded());
        Assert.Equal(["group", "passwd"], changes.Where(change => change.Kind == EtcChangeKind.Merged).Select(change => ByteText.Quote(change.Path)));
        EtcChange clash = Assert.Single(changes, change => change.Kind != EtcChangeKind.Merged);
        Assert.Equal(("passwd", EtcChangeKind.AccountNumber, "d"), (ByteText.Quote(clash.Path), clash.Kind, clash.Account));
    }

    [Fact]
    public void An_account_that_both_changed_stays_mine_and_theirs_is_beside()
    {
        Prepare("printf 'a:1\\n' > shadow", "printf 'a:2\\n' > shadow; echo earlier > shadow.hacktree-new", "printf 'a:3\\nb:1\\n' > shadow");
        EtcChange change = Merge("r2").Single(change => change.Kind == EtcChangeKind.Account);
        Assert.Equal("a", change.Account);
        Assert.Equal("a:2\nb:1\n", File.ReadAllText(world.At("r2/etc/shadow")));
        Assert.Equal("a:3\nb:1\n", File.ReadAllText(world.At("r2/etc/shadow.hacktree-new")));
    }

    [Fact]
    public void What_makes_a_machine_itself_stays_and_times_are_no_change()
    {
        Prepare(
            old: ": > machine-id; echo 1 > timed",
            mine: "echo 0123 > machine-id; echo host > hostname; mkdir ssh; echo key > ssh/ssh_host_rsa_key; chmod 600 ssh/ssh_host_rsa_key; touch timed",
            theirs: ": > machine-id; echo 2 > timed");
        Merge("r2");
        Assert.Equal("0123\nhost\nkey\n2\n600\n", world.Shell("cd r2/etc; cat machine-id hostname ssh/ssh_host_rsa_key timed; stat -c %a ssh/ssh_host_rsa_key").Succeeded());
    }

    [Fact]
    public void What_makes_a_machine_itself_stays_even_if_only_the_new_commit_changed_it()
    {
        Prepare(
            old: "echo 1 > machine-id; echo 1 > hostname; mkdir ssh; echo 1 > ssh/ssh_host_key; echo 1 > ssh/config; echo 1 > ld.so.cache",
            mine: "echo 2 > ld.so.cache",
            theirs: "echo 3 > machine-id; echo 3 > hostname; mkdir ssh; echo 3 > ssh/config; echo 3 > ld.so.cache");
        Merge("r2");
        Assert.Equal("1 1 1 3 3\n", world.Shell("cd r2/etc; echo $(cat machine-id hostname ssh/ssh_host_key ssh/config ld.so.cache)").Succeeded());
    }

    [Fact]
    public void A_link_in_the_place_of_etc_is_refused()
    {
        Prepare("true", "true", "true");
        world.Shell("mv r1/etc r1/was; ln -s ../outside r1/etc").Succeeded();
        Assert.Contains("r1/etc: it is no directory", Assert.Throws<StoreException>(() => Merge("r2")).Message, StringComparison.Ordinal);
    }

    /// <summary>Makes the old, the new and my /etc with a name for every three states.</summary>
    private void MakeAll()
    {
        MakeStates("old", 0);
        MakeStates("new", 2);
        world.Shell(
            """
            set -e
            $H commit -q -b old old; $H commit -q -b new new; $H checkout -q --boot old r1; $H checkout -q --boot new r2; rm -rf r1/etc/*
            """).Succeeded();
        MakeStates("r1", 1);
    }

    /// <summary>Makes each name of <see cref="Names"/> in the state that one of its letters tells.</summary>
    private void MakeStates(string root, int letter)
    {
        foreach (string name in Names)
        {
            string path = world.At($"{root}/etc/{name}");
            switch (name[letter])
            {
                case 'L':
                    File.CreateSymbolicLink(path, world.At("outside"));
                    break;
                case 'D':
                    Directory.CreateDirectory(path);
                    File.WriteAllText($"{path}/child", "child\n");
                    break;
                case 'M':
                    File.WriteAllText(path, "A\n");
                    Sys.SetMode(Sys.WorkingDirectory, ByteText.FromArgument(path), FileModes.PrivateFile).ThrowIfFailed("fchmodat", path);
                    break;
                case '-':
                    break;
                case char content:
                    File.WriteAllText(path, $"{content}\n");
                    break;
            }
        }
    }

    private void Prepare(string old, string mine, string theirs) => world.Shell(
        $"""
        set -e
        (cd old/etc; {old}); (cd new/etc; {theirs})
        $H commit -q -b old old; $H commit -q -b new new; $H checkout -q --boot old r1; $H checkout -q --boot new r2
        cd r1/etc; {mine}
        """).Succeeded();

    private IReadOnlyList<EtcChange> Merge(string root)
    {
        using ObjectStore store = ObjectStore.Open(world.At("objects"));
        return EtcMerge.Run(store, Revision.Resolve(store, "old"), world.At("r1"), Revision.Resolve(store, "new"), world.At(root));
    }

    private string Inodes() => world.Shell("find r2/etc -mindepth 1 -printf '%P %i %C@\\n' | sort").Succeeded();

    private string Listing(string root) => world.Shell(
        $"cd {root}/etc; find . -mindepth 1 -printf '%P %y %m %U %G %l\\n' | sort; find . -type f | sort | xargs -d '\\n' cat").Succeeded();

    private char StateOf(string name)
    {
        string path = world.At($"r2/etc/{name}");
        var info = new FileInfo(path);
        if (info.LinkTarget is { } target)
        {
            return target == world.At("outside") ? 'L' : '?';
        }

        if (Directory.Exists(path))
        {
            return Directory.GetFileSystemEntries(path) is [var child] && File.ReadAllText(child) == "child\n" ? 'D' : '?';
        }

        return !info.Exists ? '-'
            : info.UnixFileMode == (UnixFileMode)FileModes.PrivateFile ? File.ReadAllText(path) == "A\n" ? 'M' : '?'
            : File.ReadAllText(path)[0];
    }
}
