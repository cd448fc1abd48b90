using HackTree.Boot;
using HackTree.Checkout;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using HackTree.Tests.Support;

namespace HackTree.Tests.Checkout;

/// <summary>Roots that are images, without a boot: what is in their directories, and what the boot's program makes of them on this kernel.</summary>
public sealed class RootImageTests : IDisposable
{
    private const string Kernel = "6.9.0-test";
    private const string Folder = $"usr/lib/modules/{Kernel}";

    private readonly StorePlace place = new();

    public RootImageTests() => Shell(
        $"""
        mkdir -p tree/boot tree/etc tree/usr/bin tree/usr/share tree/var/lib/dpkg tree/{Folder}/kernel/fs/erofs tree/{Folder}/kernel/other tree/usr/lib/modules/old
        ln -s usr/lib tree/lib
        cd tree
        echo kernel > boot/vmlinuz-{Kernel}; echo host > etc/hosts
        head -c 5000 /dev/urandom > usr/bin/program; chmod 755 usr/bin/program; echo short > usr/share/short; ln -s short usr/share/link
        cd {Folder}
        echo erofs > kernel/fs/erofs/erofs.ko; echo overlay | xz > kernel/fs/overlay.ko.xz; echo sum > kernel/other/sum.ko; echo base > kernel/other/base.ko
        echo loop > kernel/other/loop.ko; echo more > kernel/other/more.ko
        echo 'kernel/fs/erofs/erofs.ko: kernel/other/sum.ko kernel/other/base.ko' > modules.dep
        echo 'kernel/other/sum.ko: kernel/other/base.ko' >> modules.dep
        for m in kernel/other/base.ko kernel/other/loop.ko kernel/other/more.ko kernel/fs/overlay.ko.xz; do echo "$m:" >> modules.dep; done
        """);

    public void Dispose() => place.Dispose();

    [Fact]
    public void Its_directory_has_what_is_read_before_the_image_is_mounted()
    {
        CheckOut(place.Commit("tree"), "r1");
        string[] files = Shell("cd r1; find . ! -type d | sort").Split('\n', StringSplitOptions.RemoveEmptyEntries);
        string[] expected =
        [
            $"./boot/vmlinuz-{Kernel}", "./etc/hosts", "./hacktree.erofs", .. new[] { "00-loop", "01-base", "02-sum", "03-erofs", "04-overlay" }.Select(name => $"./{Folder}/hacktree/{name}.ko"),
        ];
        Assert.Equal(expected, files);
        Assert.Equal("loop\nbase\nsum\nerofs\noverlay\n", Shell($"cat r1/{Folder}/hacktree/*"));
        Assert.Equal("600 2 1\n", Shell($"echo $(stat -c %a r1/hacktree.erofs) $(stat -c %h r1/boot/vmlinuz-{Kernel} r1/etc/hosts)"));
        place.RequireSound();
    }

    [Fact]
    public void The_program_of_the_boot_mounts_the_tree_that_a_root_of_hardlinks_has()
    {
        Assert.SkipUnless(Sys.IsRoot, "only root can mount");
        Digest commit = place.Commit("tree");
        CheckOut(commit, "r1");
        RootBuilder.Run(place.Store, commit, "test", place.At("r0"), new CheckoutOptions { Boot = true });
        File.WriteAllBytes(place.At("mount-image"), BootFiles.Read("native/mount-image"));

        // A mount point that the commit lacks has its time in the image, and that of the checkout in the root.
        const string List = "find . -maxdepth 1 -printf '%P %y %m %U %G\\n' | sort; find . -mindepth 2 -printf '%P %y %m %U %G %T@ %l\\n' | sort; find . -type f -exec sha256sum {} + | sort -k2";
        string script =
            $"""
            chmod 755 mount-image; mkdir mnt
            ./mount-image r1/hacktree.erofs objects/files mnt hacktree:/r1 - r1/{Folder}/hacktree/*.ko
            (cd mnt; {List}) > mounted; (cd r0; {List}) > linked
            diff linked mounted && echo same; grep mnt /proc/mounts | tail -n 1 | cut -d ' ' -f 1; touch mnt/usr/new 2> /dev/null || echo read-only
            """;
        Assert.Equal("same\nhacktree:/r1\nread-only\n", Tools.Run("unshare", "--mount", "sh", "-ec", $"cd {place.At("")}; {script}").Succeeded());
        Assert.Equal(2, Tools.Run(place.At("mount-image"), place.At("none"), place.At("objects/files"), place.At("mnt"), "x", "-").ExitCode);
    }

    [Fact]
    public void Roots_of_one_commit_share_the_image_unless_it_is_damaged()
    {
        Digest commit = place.Commit("tree");
        CheckOut(commit, "r1");
        CheckOut(commit, "r2");
        Shell("[ r1/hacktree.erofs -ef r2/hacktree.erofs ]");
        Assert.Empty(RootCheck.Run(place.Store, "r1").Changes);

        Shell("chmod 600 r1/hacktree.erofs; printf x | dd of=r1/hacktree.erofs bs=1 seek=1100 conv=notrunc 2> /dev/null");
        CheckOut(commit, "r3");
        Shell("! [ r1/hacktree.erofs -ef r3/hacktree.erofs ]");
        Assert.Empty(RootCheck.Run(place.Store, "r3").Changes);
        RootChange change = Assert.Single(RootCheck.Run(place.Store, "r1").Changes);
        Assert.Equal((ChangeKind.Modified, RootImage.FileName), (change.Kind, ByteText.ToArgument(change.Path)));
    }

    [Fact]
    public void What_was_changed_in_its_directory_is_found_and_its_etc_is_its_own()
    {
        CheckOut(place.Commit("tree"), "r1");
        Shell($"echo own >> r1/etc/hosts; rm r1/boot/vmlinuz-{Kernel}; echo new > r1/boot/new; rm r1/hacktree.erofs; mkdir r1/srv");
        RootCheck check = RootCheck.Run(place.Store, "r1");
        Assert.Equal(["boot/new", $"boot/vmlinuz-{Kernel}", "hacktree.erofs", "srv"], check.Changes.Select(change => ByteText.ToArgument(change.Path)));
    }

    [Fact]
    public void What_only_the_image_names_is_kept_and_freed_with_the_root()
    {
        CheckOut(place.Commit("tree"), "r1");
        using (var turn = RefTurn.Take(place.Store))
        {
            turn.Delete("test");
        }

        Assert.Equal(0, Collect.Run(place.Store, new CollectOptions()).ObjectsRemoved);
        RootRemoval.Run(place.Store, "r1");
        Shell("[ ! -e r1 ]");
        CollectResult freed = Collect.Run(place.Store, new CollectOptions());
        Assert.True(freed.ObjectsRemoved > 5, $"{freed.ObjectsRemoved} objects were removed");
        Assert.Equal(0, freed.ObjectsHeldOutside);
    }

    [Theory]
    [InlineData("sed -i /overlay/d modules.dep", "the kernel 6.9.0-test has no module overlay in the commit")]
    [InlineData("sed -i /overlay/d modules.dep; echo kernel/fs/overlayfs/overlay.ko > modules.builtin", null)]
    [InlineData("rm kernel/other/base.ko", "modules.dep names this module")]
    public void A_kernel_must_be_able_to_mount_it(string change, string? words)
    {
        Shell($"cd tree/{Folder}; {change}");
        Digest commit = place.Commit("tree");
        if (words is null)
        {
            Assert.True(RootImage.SizeOf(place.Store, commit, Kernel) > 4096);
            return;
        }

        var refused = Assert.Throws<StoreException>(() => RootImage.SizeOf(place.Store, commit, Kernel));
        Assert.Contains(words, refused.Message, StringComparison.Ordinal);
    }

    private void CheckOut(Digest commit, string name) =>
        RootBuilder.Run(place.Store, commit, "test", place.At(name), new CheckoutOptions { Method = CheckoutMethod.Image, Boot = true });

    private string Shell(string script) => Tools.Run("env", "-C", place.At(""), "bash", "-ec", script).Succeeded();
}
