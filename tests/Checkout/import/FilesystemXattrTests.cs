using HackTree.Tests.Cli;
using HackTree.Tests.Support;

namespace HackTree.Tests.Checkout;

/// <summary>Attributes that say how a filesystem keeps a file: root sees each ACL of XFS twice, and btrfs's properties are inherited.</summary>
public sealed class FilesystemXattrTests : IDisposable
{
    private const string OnXfs = """
        truncate -s 320M disk; mkfs.xfs -q disk; mkdir there; mount -o loop disk there
        """;

    // The property stands on the directory where stores and roots are made.
    private const string OnBtrfs = """
        truncate -s 300M disk; mkfs.btrfs -q disk > /dev/null; mkdir top there; mount -o loop disk top
        mkdir top/packed; btrfs property set top/packed compression zstd; mount --bind top/packed there; umount top
        """;

    private readonly CliWorld world = new();

    public void Dispose()
    {
        _ = world.Shell("for d in there top; do mountpoint -q $d && umount $d; done");
        world.Dispose();
    }

    [Theory]
    [InlineData("xfs", OnXfs)]
    [InlineData("btrfs", OnBtrfs)]
    public void They_are_neither_committed_nor_damage(string kind, string make)
    {
        Prepare(kind, make);
        world.Shell("""
            set -e
            same() { [ -z "$($H "${@:3}" diff $1 $2)" ]; }
            $H commit -q -b a tree > here
            $H --store there/st init -q; $H --store there/st commit -q --timestamp @0 -b a tree; $H --store there/st fsck -q
            cp -a tree there/tree; $H commit -q -b b there/tree; same a b
            $H push -q b there/st; $H --store there/st checkout -q b there/r; $H --store there/st checkout -q --copy b there/copy
            $H --store there/st roots check
            for root in r copy; do $H --store there/st commit -q -b $root there/$root; same b $root --store there/st; done
            $H --store there/st export b --tar b.tar; $H commit -q -b c --tar b.tar; same a c
            getfacl -n there/copy/d/listed there/copy/d | grep -c :1234:rw > lists; $H --store there/st fsck -q
            """).Succeeded();
        Assert.Equal("3\n", File.ReadAllText(world.At("lists")));
    }

    [Theory]
    [InlineData("xfs", OnXfs)]
    [InlineData("btrfs", OnBtrfs)]
    public void A_store_that_was_copied_there_is_whole_and_its_roots_advance(string kind, string make)
    {
        Prepare(kind, make);
        world.Shell("""
            set -e
            $H commit -q -b a tree; setfacl -b tree/d; chmod 755 tree/d; echo more >> tree/d/listed; $H commit -q -b b tree; cp -a objects there/objects
            S="$H --store there/objects"; $S fsck -q; $S checkout -q a there/r; $S checkout -q --from there/r b there/r
            $S commit -q -b c there/r; [ -z "$($S diff b c)" ]; $S fsck -q
            """).Succeeded();
    }

    private void Prepare(string kind, string make)
    {
        Tools.Require($"mkfs.{kind}");
        Tools.Require("setfacl");
        world.Shell($"""
            set -e
            mkdir -p tree/d; echo listed > tree/d/listed; echo plain > tree/plain; setfattr -n user.a -v 1 tree/plain
            setfacl -m u:1234:rw tree/d/listed tree/d; setfacl -d -m u:1234:rw tree/d
            {make}
            """).Succeeded();
    }
}
