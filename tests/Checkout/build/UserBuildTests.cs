using HackTree.Linux;
using HackTree.Tests.Cli;
using HackTree.Tests.Support;

namespace HackTree.Tests.Checkout;

/// <summary>
/// `build` by an ordinary user in a user store, with further ids from /etc/subuid and without. The commit has owners, set-id bits, capabilities and a
/// device that the user's checkout does not show.
/// </summary>
public sealed class UserBuildTests : IDisposable
{
    private const string User = "setpriv --reuid=games --regid=games --clear-groups";

    // What a command does to its own directory, /N, in root's build and in the user's. The result is the same.
    private static readonly string[] Changes =
    [
        "echo new >> f1; echo new >> owned",
        "rm f2 link pipe",
        "rm -r full; mkdir full; echo x > full/g9",
        "rm -r full",
        "mkdir -p new/a/b; echo x > new/a/b/c; ln -s c new/a/b/d; mkfifo new/p",
        "rm -r full; echo file > full",
        "rm f3; mkdir f3; echo x > f3/x",
        "chmod 600 f4 owned; chmod 700 full kept; chmod u+s f1",
        "setfattr -n user.a -v b f1; setfattr -n user.c -v d full",
        "mv full moved; mv deep/er er; mv f1 f0; mv f2 f3",
        "ln f1 f1too; echo more >> f5too; chmod 751 able setid",
        "mv full old; mv deep full; mv old deep",
        "rm -r kept; mkdir kept; echo x > deep/x; chmod 640 pipe",
    ];

    private static readonly string[] Owners =
    [
        "chown 3:4 f5 setid; chown -h 5:6 link; chown 1 kept; chown 4:9 owned",
        "mkdir -m 700 theirs; echo x > theirs/x; chown -R 7:7 theirs",
    ];

    // end SIGNAL: begins a build whose files the user cannot remove outside of it, and ends the build.
    private const string End = """
        end() {
            $H build -b built --from base -- /bin/bash -c 'mkdir -m 700 /theirs; echo > /theirs/x; chown -R 7:7 /theirs; echo > /seen; sleep 1000' & pid=$!
            until ls .build-1.partial/upper/seen 2> /dev/null; do sleep 0.1; done
            kill -$1 $pid; code=0; wait $pid || code=$?
            for i in $(seq 100); do grep -qs "$PWD/[.]build-" /proc/[0-9]*/cmdline || break; sleep 0.1; done
            ! grep -s "$PWD/[.]build-" /proc/[0-9]*/cmdline /proc/[0-9]*/mounts
        }

        """;

    private readonly CliWorld world = new(hasStore: false);

    public UserBuildTests()
    {
        Assert.SkipUnless(Sys.IsRoot, "only root can make files of others and become an ordinary user");
        Tools.Require("newuidmap", "setpriv", "setfattr");
        world.Shell($$"""
            set -e
            mkdir -p mine root/{proc,sys,dev,run,tmp,etc,usr/sbin,bin,data/deep/er,data/full/sub,data/kept} && cd root
            cp -L $(for p in bash rm mkdir mv chmod chown ln cat sleep setfattr mkfifo readlink; do command -v $p; done) bin && ln -s bash bin/sh
            ldd bin/* | grep -o '/[^ ]* (' | sort -u | while read l _; do mkdir -p .${l%/*}; cp -L $l .$l; done
            cd data && for i in 1 2 3 4 5 6; do echo $i > f$i; echo $i > full/g$i; echo $i > full/sub/h$i; echo $i > deep/er/e$i; done
            ln -s f1 link; ln f5 f5too; mkfifo pipe; for f in owned able setid kept/file; do echo > $f; done; mknod kept/device b 8 0
            setfattr -n security.capability -v 0x0100000200200000000000000000000000000000 able
            chown 7:8 owned pipe; chown -h 9:9 kept; chmod 2750 deep; chmod 2755 kept; chmod 4755 setid; cd ..
            for i in $(seq 0 {{Changes.Length + Owners.Length - 1}}); do cp -a data $i; done
            tar -C . --xattrs --xattrs-include='*' -cf ../root.tar . && cd ..
            : > none; echo games:200000:65536 > many; echo root:0:65536 > root-too; chown games mine; chmod 711 .
            """).Succeeded();
        AsUser(hasIds: false, "$H init --user --mtime zero && $H commit -q -b base --tar ../root.tar").Succeeded();
    }

    public void Dispose() => world.Dispose();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void The_tree_is_that_of_the_build_by_root(bool hasIds)
    {
        string command = string.Concat(Changes.Concat(hasIds ? Owners : []).Select((change, i) => $"cd /{i}; {change}\n")) + "chmod 711 /";
        world.Shell("$H init --mtime zero && $H commit -q -b base --tar root.tar").Succeeded();
        world.Run("build", "-q", "-b", "built", "--from", "base", "--", "/bin/bash", "-ec", command).Succeeded();
        File.WriteAllText(world.At("command"), command);
        AsUser(hasIds, "$H build -q -b built --from base --script ../command 2>&1").Succeeded();
        Assert.Equal("", world.Shell("diff <($H ls -lR built) <($H --store mine/objects ls -lR built)").Output);
        Assert.Equal(FactsOf("objects"), FactsOf("mine/objects"));
        RequireClean();
    }

    [Fact]
    public void Of_what_the_checkout_does_not_show_the_commit_keeps_what_was_not_changed()
    {
        AsUser(hasIds: true, """
            $H build -q -b built --from base -- /bin/bash -ec '
                cd /0; [ $(readlink -f /proc/self/ns/user) ] && [ -O owned ] && [ ! -u setid ] && [ ! -e kept/device ]
                echo more >> setid; echo more >> able; chown 3 owned
                cd /1; chown 3 setid able; mv owned moved; rm -r kept/file; mv kept else'
            """).Succeeded();
        Assert.Equal(
            "able -rw-r--r-- 0 0\nowned -rw-r--r-- 3 8\nsetid -rwxr-xr-x 0 0\n"
            + "able -rw-r--r-- 3 0\nelse drwxr-sr-x 0 0\nmoved -rw-r--r-- 0 0\nsetid -rwxr-xr-x 3 0\n",
            world.Shell("""
                list() { $H --store mine/objects ls -l built $1 | awk '$NF ~ /^(able|owned|setid|moved|else)$/ { print $NF, $1, $2, $3 }'; }
                list 0; list 1
                """).Succeeded());
        Assert.Equal("D 1/kept/device\nD 1/kept/file\n", world.Shell("$H --store mine/objects diff base built | grep kept/").Output);
    }

    [Fact]
    public void An_ACL_is_kept_where_nothing_changed_and_refused_where_an_object_would_have_it()
    {
        Tools.Require("setfacl");
        world.Shell("""
            cd root/0 && setfacl -m u:1000:rw f1 f2 && setfacl -m u:1000:rwx full
            cd .. && tar -C . --acls --xattrs --xattrs-include='*' -cf ../acl.tar .
            """).Succeeded();
        AsUser(hasIds: true, """
            $H commit -q -b acl --tar ../acl.tar
            $H build -q -b built --from acl -- /bin/bash -c 'cd /0; echo x > full/new; rm f2'
            [ "$($H diff acl built)" = "$(printf 'D 0/f2\nA 0/full/new')" ] || { $H diff acl built; exit 9; }
            $H ls -l built 0 | grep -q '^drwxrwxr-x+ .* full$' && $H ls -l built 0 | grep -q '^-rw-rw-r--+ .* f1$'
            code=0; $H build -q -b built --from acl -- /bin/bash -c 'echo x >> /0/f1' 2> said || code=$?
            [ $code = 1 ] && grep 'upper/0/f1: it has an ACL, which an ordinary' said
            """).Succeeded();
        RequireClean();
    }

    [Fact]
    public void A_failed_command_commits_nothing()
    {
        ToolResult result = AsUser(hasIds: false, "$H build -b built --from base -- /bin/bash -c 'echo x > /data/f1; exit 7'");
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("the command can give no file to others than root", result.Error);
        Assert.Contains("the command failed with exit code 7, and nothing was committed", result.Error);
        Assert.Equal("base\n", AsUser(hasIds: false, "$H refs | cut -d' ' -f1").Succeeded());
        RequireClean();
    }

    [Fact]
    public void The_network_is_that_of_the_user_or_none()
    {
        const string Build = "$H build -q -b built --from base";
        string with = AsUser(hasIds: false, $"{Build} -- /bin/readlink /proc/self/ns/net 2>&1").Succeeded();
        string without = AsUser(hasIds: false, $"{Build} --no-network -- /bin/readlink /proc/self/ns/net 2>&1").Succeeded();
        string own = Tools.Run("readlink", "/proc/self/ns/net").Succeeded();
        Assert.StartsWith(own, with, StringComparison.Ordinal);
        Assert.StartsWith("net:", without, StringComparison.Ordinal);
        Assert.DoesNotContain(own, without, StringComparison.Ordinal);
    }

    [Fact]
    public void Scripts_recipes_and_binds_are_as_for_root()
    {
        AsUser(hasIds: false, """
            mkdir bound
            printf '#!/bin/bash\necho "$1" > /data/arg; : > /data/full/seen' > s.sh
            mv objects $'o\377'
            $H --store $'o\377' build -q -b built --from base --bind $PWD/bound:/data/full --script s.sh -- 'two words'
            mv $'o\377' objects
            [ "$($H cat built data/arg)" = 'two words' ] && [ -O bound/seen ]
            printf 'echo 1 > /data/one\necho x >> /data/full/runs; echo 2 > /data/two' > r
            for i in 1 2; do $H build -q -b steps --from base --bind $PWD/bound:/data/full --recipe r; done
            [ "$(cat bound/runs)" = x ] && [ "$($H diff base steps)" = "$(printf 'A data/one\nA data/two')" ]
            """).Succeeded();
        RequireClean();
    }

    [Fact]
    public void What_a_killed_build_left_the_next_build_removes_or_gc()
    {
        AsUser(hasIds: true, End + """
            end KILL && [ $code = 137 ] && [ -e .build-1.partial ] && ! rm -rf .build-1.partial/upper
            $H build -q -b next --from base -- /bin/bash -c '[ ! -e /seen ]'
            [ ! -e .build-1.partial ]
            end KILL
            $H gc
            [ ! -e .build-1.partial ]
            end TERM && [ $code = 143 ] && [ ! -e .build-1.partial ]
            [ "$($H refs | cut -d' ' -f1 | xargs)" = 'base next' ]
            """).Succeeded();
        RequireClean();
    }

    [Fact]
    public void What_gc_could_not_remove_without_a_namespace_it_removes_with_one()
    {
        AsUser(hasIds: true, End + "end KILL").Succeeded();
        ToolResult without = WithoutNamespaces("gc");
        Assert.Contains("what stood in the way stays until a later gc", without.Error);
        AsUser(hasIds: true, "[ $(find objects/tmp -name theirs | wc -l) = 1 ] && $H gc && [ -z \"$(ls objects/tmp)\" ]").Succeeded();
        RequireClean();
    }

    [Fact]
    public void Where_no_user_namespace_can_be_made_one_sentence_says_what_to_do()
    {
        ToolResult result = WithoutNamespaces("build -b built --from base -- /bin/true");
        Assert.Equal(
            "hacktree: an ordinary user needs a user namespace for this, and user.max_user_namespaces is 0 here, which forbids it; "
            + "root can allow it with `sysctl -w user.max_user_namespaces=10000`, or run the command\n",
            result.Error);
        Assert.Equal(1, result.ExitCode);
        RequireClean();
    }

    [Fact]
    public void A_store_of_root_is_refused_to_others()
    {
        world.Shell("$H init && $H commit -q -b base --tar root.tar").Succeeded();
        ToolResult result = AsUser(hasIds: false, "$H --store ../objects build -b built --from base -- /bin/true");
        Assert.Contains("this store keeps owners and devices, so only root can write to it; run as root", result.Error);
        Assert.Equal(1, result.ExitCode);
    }

    private string FactsOf(string store) => world.Shell(
        $"$H --store {store} show --json built | python3 -c 'import json,sys; c=json.load(sys.stdin); print([c[x] for x in (\"tree\", \"files\", \"bytes\")])'")
        .Succeeded();

    /// <summary>Runs a script in the user's directory. /etc/subuid and /etc/subgid have ids for the user, or are empty.</summary>
    private ToolResult AsUser(bool hasIds, string script)
    {
        File.WriteAllText(world.At("script"), script);
        string ids = hasIds ? "many" : "none";
        return world.Shell($"""
            exec unshare --mount --propagation private bash -ec '
                mount --bind {ids} /etc/subuid; mount --bind {ids} /etc/subgid; cd mine
                HOME=$PWD exec {User} bash -e ../script'
            """);
    }

    /// <summary>Runs the program as the user, inside a user namespace in which nobody may make another.</summary>
    private ToolResult WithoutNamespaces(string arguments)
    {
        File.WriteAllText(world.At("script"), $"echo 0 > /proc/sys/user/max_user_namespaces; cd mine; HOME=$PWD exec {User} $H {arguments}");
        return world.Shell("""
            exec unshare --mount --propagation private bash -ec '
                mount --bind root-too /etc/subuid; mount --bind root-too /etc/subgid
                exec unshare --user --map-users=0,0,65536 --map-groups=0,0,65536 bash script'
            """);
    }

    private void RequireClean() => AsUser(hasIds: false, "[ -z \"$(ls -d .build-* build-* 2> /dev/null)\" ] && $H fsck").Succeeded();
}
