using HackTree.Linux;
using HackTree.Tests.Cli;
using HackTree.Tests.Support;

namespace HackTree.Tests.Checkout;

/// <summary>`commit --ostree`: what the real `ostree` wrote, compared with what it checks out.</summary>
public sealed class OstreeTests : IDisposable
{
    // Sizes around those at which something changes: none, a block, the reader's buffer, and many buffers.
    private const string MakeTree = """
        set -e
        mkdir -p t/usr/bin t/etc t/d/e/sticky t/empty
        for n in 0 1 4095 4096 4097 65535 65536 65537 262143 262144 262145 1000003; do head -c $n /dev/urandom > t/d/size$n; done
        head -c 3000000 /dev/zero > t/d/zeros
        printf '#!/bin/sh\n' > t/usr/bin/su; ln -s ../usr/bin/su t/etc/link; ln -s $(printf 'x%.0s' {1..300}) t/etc/long
        echo same > t/etc/one; ln t/etc/one t/etc/two; : > t/etc/'nämé with space'
        chmod 1777 t/d/e/sticky; chmod 700 t/d/e; chmod 4755 t/usr/bin/su
        setfattr -n user.a -v 1 t/d/size4096; setfattr -n user.long -v $(printf 'y%.0s' {1..900}) t/d/size4096; setfattr -n user.none t/d/size1
        setfattr -n user.d -v x t/d/e
        if [ $(id -u) = 0 ]; then
            chown 12:34 t/d/e; chown 4000000000:1 t/d/size1; chown -h 7:8 t/etc/link; chown 5:6 t/usr/bin/su; chmod 4755 t/usr/bin/su
            setcap cap_net_raw+ep t/d/size4097; setfacl -m u:5:r t/d/size4095; setfacl -d -m u:5:rx t/empty; chmod 0 t/d/size65536
        fi
        """;

    private readonly CliWorld world = new();

    public OstreeTests()
    {
        Tools.Require("ostree");
        Tools.Require("setfacl");
        world.Shell(MakeTree).Succeeded();
    }

    public void Dispose() => world.Dispose();

    [Theory]
    [InlineData("bare", "")]
    [InlineData("bare-user", "")]
    [InlineData("archive", "")]
    [InlineData("bare-user-only", "--canonical-permissions --no-xattrs")]
    public void A_tree_is_that_of_the_checkout(string mode, string options)
    {
        Assert.SkipUnless(Sys.IsRoot || mode != "bare", "owners need root");
        world.Shell($"""
            set -e
            [ {mode} != bare-user-only ] || chmod 755 t/usr/bin/su t/d/e/sticky t/d/size65536
            ostree init --repo=repo --mode={mode}; ostree --repo=repo commit -b os/x {options} t > /dev/null
            ostree --repo=repo checkout os/x theirs
            $H commit -q -b x --ostree repo os/x > /dev/null; $H checkout -q --copy x ours
            $H fsck > /dev/null
            """).Succeeded();

        // Some checkouts of OSTree have the time of the checkout.
        Comparison.Same(world.At("theirs"), world.At("ours"), "--without", "mtime");
        Assert.Equal("0\n", world.Shell("find ours -printf '%Ts\n' | sort -u").Succeeded());
    }

    [Fact]
    public void What_a_commit_tells_is_kept()
    {
        world.Shell("""
            set -e
            ostree init --repo=repo --mode=archive
            ostree --repo=repo commit -b os/x --timestamp=@1700000000 -s 'the subject' -m $'line 1\nline 2' --add-metadata-string=version=1.2 \
                --add-metadata-string='two words=x' --add-metadata-string=lines=$'a\nb' --add-metadata='number=uint32 7' tree 2> /dev/null || true
            rm -f tree/usr/share/pipe tree/usr/share/bad*
            ostree --repo=repo commit -b os/x --timestamp=@1700000000 -s 'the subject' -m $'line 1\nline 2' --add-metadata-string=version=1.2 \
                --add-metadata-string='two words=x' --add-metadata-string=lines=$'a\nb' --add-metadata='number=uint32 7' tree > id
            """).Succeeded();
        ToolResult result = world.Run("commit", "-b", "x", "--meta", "by=me", "--ostree", "repo", "os/x");
        Assert.Contains("metadata that is no line of text was left out: lines, number, two words\n", result.Error);
        string shown = world.Run("show", "x").Succeeded();
        string id = world.Shell("cat id").Succeeded().Trim();
        Assert.Contains("\ntime     2023-11-14 22:13:20 UTC\n", shown);
        Assert.Contains($"\nmeta     by=me\nmeta     ostree.commit={id}\nmeta     version=1.2\n\n    the subject\n\n    line 1\n    line 2\n", shown);
        Assert.DoesNotContain("\nparent ", shown);
        Assert.Equal(result.Output, world.Run("commit", "-q", "-b", "y", "--meta", "by=me", "--ostree", "repo", id).Succeeded());
    }

    [Fact]
    public void A_history_is_taken_as_deep_as_is_wanted_and_goes_on_later()
    {
        world.Shell("""
            set -e
            ostree init --repo=repo --mode=bare-user
            for i in 1 2 3 3; do echo $i > t/etc/n; ostree --repo=repo commit -b os/x -s $i t > /dev/null; done
            [ "$($H commit -q -b all --ostree repo --depth 99 os/x)" = $($H rev-parse all) ]
            [ "$($H log all | wc -l)" = 4 ]; [ "$(for i in 0 1 2 3; do $H cat all~$i etc/n; done | paste -sd ' ')" = '3 3 2 1' ]
            [ $($H show --meta ostree.commit all~1) = $(ostree --repo=repo rev-parse os/x^) ]
            [ "$($H log $($H commit -q -b two --ostree repo --depth 1 os/x) | wc -l)" = 2 ]
            [ "$($H show --meta ostree.commit $($H commit -q -b old --ostree repo os/x^^))" = $(ostree --repo=repo rev-parse os/x^^) ]

            # There is nothing new, then there is.
            before=$($H rev-parse old); $H commit -b old --ostree repo os/x^^ 2> said; grep -q 'it is os/x^^ of repo already, and no commit was made' said
            [ $($H rev-parse old) = $before ]
            $H commit -q -b old --ostree repo --depth 99 os/x > /dev/null
            [ "$($H log old | wc -l)" = 3 ]; [ $($H rev-parse old~2) = $before ]

            # A ref with a history of its own goes on.
            own=$($H commit -q -b own tree); $H commit -q -b own --ostree repo --depth 1 os/x > /dev/null; [ $($H rev-parse own~2) = $own ]
            [ -z "$($H commit -q --orphan --ostree repo os/x | grep -v '^[0-9a-f]\{64\}$')" ]
            $H fsck > /dev/null

            # A repository that has only the newest commits.
            ostree init --repo=short --mode=archive; ostree --repo=short pull-local --depth=1 repo os/x > /dev/null
            [ "$($H log $($H commit -q -b short --ostree short --depth 99 os/x) | wc -l)" = 2 ]

            # Names of refs: of a remote, an alias, and none that lead elsewhere.
            ostree --repo=short pull-local --remote=origin repo os/x > /dev/null; [ $($H commit -q -b r --ostree short origin:os/x) ]
            ostree --repo=repo refs --alias --create=os/latest os/x; [ $($H commit -q -b alias --ostree repo os/latest) ]
            """).Succeeded();
        world.Refuses(1, "repo: 'os/none' is no ref and no commit there", ["commit", "-b", "x", "--ostree", "repo", "os/none"]);
        world.Refuses(1, "is no ref and no commit there", ["commit", "-b", "x", "--ostree", "repo", "../../config"]);
        world.Refuses(1, "is no ref and no commit there", ["commit", "-b", "x", "--ostree", "repo", "os"]);
        world.Refuses(1, "is no ref and no commit there", ["commit", "-b", "x", "--ostree", "repo", new string('0', 64)]);
        world.Refuses(1, "goes further back", ["commit", "-b", "x", "--ostree", "repo", "os/x^^^^^"]);
        world.Refuses(1, "nowhere: no such directory", ["commit", "-b", "x", "--ostree", "nowhere", "os/x"]);
        world.Refuses(1, "tree: it has no file config, so it is no repository of OSTree", ["commit", "-b", "x", "--ostree", "tree", "os/x"]);
        world.Refuses(2, "name the ref of the repository", ["commit", "-b", "x", "--ostree", "repo"]);
        world.Refuses(2, "--depth is for commits of OSTree", ["commit", "-b", "x", "--depth", "1", "tree"]);
        world.Refuses(2, "'-1' is no number from 0 up", ["commit", "-b", "x", "--ostree", "repo", "--depth", "-1", "os/x"]);
        foreach (string[] other in (string[][])[["-m", "text"], ["--timestamp", "@1"], ["--consume"], ["--exclude", "x"], ["--tar", "f"], ["--skip-if-unchanged"]])
        {
            world.Refuses(2, $"leave out {other[0]};", ["commit", "-b", "x", "--ostree", "repo", .. other, "os/x"]);
        }
    }
}
