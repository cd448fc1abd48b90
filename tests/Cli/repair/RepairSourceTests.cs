using HackTree.Linux;
using HackTree.Tests.Support;

namespace HackTree.Tests.Cli.Repair;

/// <summary>
/// What every place of good copies must do for `fsck --repair`. The places are made of a good store, or of its tree. A place may be one that the
/// store looks into by itself, and then needs no --from.
/// </summary>
public abstract class RepairSourceTests : IDisposable
{
    private const string MakeTree = """
        set -e
        rm tree/usr/share/pipe; cp tree/etc/passwd tree/etc/other; chmod 640 tree/etc/other
        head -c 700000 /dev/urandom > tree/usr/random; cp tree/usr/random tree/usr/random2; chmod 600 tree/usr/random2
        head -c 9000000 /dev/urandom > tree/usr/long; printf middle > $'tree/usr/bad\376name'
        truncate -s 3M tree/usr/holes
        find tree -exec touch -h -d '2024-05-06 07:08:09Z' {} +
        $H commit -q -b a tree > /dev/null
        """;

    private readonly CliWorld world = new();

    protected RepairSourceTests()
    {
        Assert.SkipUnless(Sys.IsRoot, "only root can write to every object");
        Shell(MakeTree);
    }

    /// <summary>Makes the place, from the directory "tree" or the store "objects". What --from gets; empty for a place that needs no --from.</summary>
    protected abstract string Make();

    /// <summary>Changes the content of the file "usr/random" in the place, where its length stays.</summary>
    protected abstract void Spoil();

    public void Dispose()
    {
        GC.SuppressFinalize(this);
        world.Dispose();
    }

    [Fact]
    public void All_content_comes_back()
    {
        string[] from = Place();
        string before = Listing();

        // All objects but the empty ones, so that no object is a copy of another.
        Shell("for o in $(find objects/files -type f -size +0); do case $((i++ % 3)) in 0) rm $o;; 1) echo x >> $o;; 2) : > $o;; esac; done");
        ToolResult result = world.Run(["fsck", "--repair", .. from]);
        Assert.True(result.ExitCode == 0, result.Error + result.Output);
        Assert.Equal("", world.Run("fsck").Succeeded());
        Assert.Equal(before, Listing());
        Shell("$H checkout -q --copy a all; diff -r --no-dereference tree all; test -z \"$(ls objects/damaged)\"");
    }

    [Fact]
    public void A_dry_run_finds_it_and_changes_nothing()
    {
        string[] from = Place();
        Shell("rm $(grep -rl middle objects/files)");
        string before = world.Listing();
        ToolResult result = world.Run(["fsck", "--repair", "--dry-run", .. from]);
        Assert.Equal(3, result.ExitCode);
        Assert.Matches("needed by .* as usr/bad.*name; would be made again from .*\n", result.Output);
        Assert.Equal(before, world.Listing());
    }

    [Fact]
    public void What_is_not_right_there_is_not_taken()
    {
        string[] from = Place();
        Spoil();
        Shell("rm $(find objects/files -type f -size -1500 -size +1300); rm $(grep -rl middle objects/files)");
        string damaged = Listing();
        ToolResult result = world.Run(["fsck", "--repair", .. from]);

        // Nobody relies on which of the two is noticed first: that the place is damaged, or that the content is another.
        Assert.True(result.ExitCode is 1 or 3, result.Error + result.Output);
        Assert.DoesNotContain("random; made again", result.Output);
        Assert.Equal(3, world.Run("fsck").ExitCode);
        Assert.Equal(result.ExitCode == 1 ? 0 : 1, Listing().Split('\n').Except(damaged.Split('\n')).Count());
    }

    [Fact]
    public void What_is_not_there_is_said_to_have_no_copy()
    {
        string[] from = Place();
        Shell("echo new > tree/new; $H commit -q -b b tree > /dev/null; rm $(grep -rlx new objects/files)");
        ToolResult result = world.Run(["fsck", "--repair", .. from]);
        Assert.Equal(3, result.ExitCode);
        Assert.Contains("there is no good copy\n    b needs it as new\n", result.Output);
    }

    protected void Shell(string script) => world.Shell($"set -e\n{script}").Succeeded();

    private protected ToolResult Run(params string[] arguments) => world.Run(arguments);

    private string[] Place() => Make() is { Length: > 0 } place ? ["--from", place] : [];

    private string Listing() => world.Shell("find objects/files -type f -printf '%P %m %U:%G %s %T@\\n' | sort").Succeeded();
}

/// <summary>The files of a directory, under any names.</summary>
public sealed class DirectoryCopiesTests : RepairSourceTests
{
    protected override string Make()
    {
        Shell("mkdir -p copies/deep; cp -r tree copies/deep/tree; mv copies/deep/tree/usr/long copies/renamed; mkfifo copies/pipe; ln -s / copies/link");
        return "copies";
    }

    protected override void Spoil() => Shell("for f in random random2; do printf X | dd of=copies/deep/tree/usr/$f bs=1 seek=9 conv=notrunc status=none; done");

    [Fact]
    public void A_directory_that_is_not_there_is_an_error() =>
        Assert.Equal(1, Run("fsck", "--repair", "--from", "./nowhere").ExitCode);
}

/// <summary>An archive, compressed.</summary>
public sealed class TarCopiesTests : RepairSourceTests
{
    protected override string Make()
    {
        Shell("tar --sparse -C tree -czf copies.tar.gz .");
        return "copies.tar.gz";
    }

    protected override void Spoil() => Shell("""
        for f in random random2; do printf X | dd of=tree/usr/$f bs=1 seek=9 conv=notrunc status=none; done; tar -C tree -czf copies.tar.gz .
        """);

    [Fact]
    public void A_file_that_is_no_archive_is_an_error()
    {
        Shell("rm $(grep -rl middle objects/files); seq 1000 > numbers");
        ToolResult result = Run("fsck", "--repair", "--from", "numbers");
        Assert.Equal(1, result.ExitCode);
        Assert.True(CliWorld.IsOneSentence(result), result.Error);
    }
}

/// <summary>Another store, given by the directory that has it in "objects".</summary>
public sealed class StoreCopiesTests : RepairSourceTests
{
    protected override string Make()
    {
        Shell("mkdir other; $H --store other/objects init -q --mtime zero; $H --store other/objects commit -q -b z tree > /dev/null");
        return "other";
    }

    protected override void Spoil() => Shell("""
        for f in $(find other/objects/files -type f -size -1500 -size +1300); do printf X | dd of=$f bs=1 seek=9 conv=notrunc status=none; done
        """);

    [Fact]
    public void The_store_itself_is_refused()
    {
        ToolResult result = Run("fsck", "--repair", "--from", "objects");
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("it is the store that is repaired", result.Error);
    }
}

/// <summary>A root of copies of the same store.</summary>
public sealed class RootCopiesTests : RepairSourceTests
{
    protected override string Make()
    {
        Shell("$H checkout -q --copy a r1");
        return "";
    }

    protected override void Spoil() => Shell("for f in random random2; do printf X | dd of=r1/usr/$f bs=1 seek=9 conv=notrunc status=none; done");
}

/// <summary>The layout of a remote in a directory. Other remotes give the same, as RemoteTests shows.</summary>
public sealed class RemoteCopiesTests : RepairSourceTests
{
    protected override string Make()
    {
        Shell("$H push a $PWD/layout > /dev/null; $H remote add origin $PWD/layout");
        return "origin:a";
    }

    protected override void Spoil() => Shell("""
        for f in $(find layout/blobs -size +500k); do
            for at in $(seq 100000 65536 $(stat -c %s $f)); do printf XYZ | dd of=$f bs=1 seek=$at conv=notrunc status=none; done
        done
        """);

    [Fact]
    public void A_layout_is_known_by_its_path_and_older_commits_are_found()
    {
        Make();
        Shell("rm tree/usr/bad*; $H commit -q -b a tree > /dev/null; $H push a origin > /dev/null; rm $(grep -rl middle objects/files)");
        Assert.Equal(0, Run("fsck", "--repair", "--from", "layout").ExitCode);
        Assert.Equal(0, Run("fsck").ExitCode);
    }

    [Fact]
    public void A_remote_or_a_ref_that_is_not_there_is_an_error()
    {
        Make();
        Shell("rm $(grep -rl middle objects/files)");
        Assert.Contains("there is no remote 'elsewhere'", Run("fsck", "--repair", "--from", "elsewhere").Error);
        ToolResult result = Run("fsck", "--repair", "--from", "origin:none");
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("has no ref 'none'", result.Error);
    }
}
