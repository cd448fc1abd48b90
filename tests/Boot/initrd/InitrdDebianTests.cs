using HackTree.Boot;
using HackTree.Linux;
using HackTree.Tests.Cli;
using HackTree.Tests.Support;

namespace HackTree.Tests.Boot;

/// <summary>
/// Debian's own initrd, and those that Debian's programs make with HackTree's files installed, in a copy of a root that boots.
/// </summary>
[Trait("speed", "slow")]
public sealed class InitrdDebianTests : IDisposable
{
    private readonly CliWorld world = new(hasStore: false);

    public void Dispose() => world.Dispose();

    [Fact]
    public void The_stock_initrd_is_patched_and_comes_back()
    {
        File.CreateSymbolicLink(world.At("root"), BootRoot.Path);
        Tools.Require("cpio", "zstd");
        world.Shell("""
            set -e
            stock=$(echo root/boot/initrd.img-*)
            $H initrd patch $stock patched
            $H initrd verify patched
            cmp -n $(stat -c %s $(readlink -f $stock)) $stock patched
            $H initrd unpatch patched back
            cmp $stock back
            mkdir bin; ln -s $(realpath root)/usr/bin/*initramfs bin/
            PATH=$PWD/bin:$PATH lsinitramfs $stock > listed; grep -q scripts/functions listed
            PATH=$PWD/bin:$PATH lsinitramfs patched | cmp - listed
            zstd -qdc $stock | cpio -it --quiet | LC_ALL=C sort > theirs
            $H initrd ls --json $stock | python3 -c 'import json,sys; [print(e["path"]) for s in json.load(sys.stdin)["segments"] for e in s["entries"]]' | LC_ALL=C sort > ours
            cmp theirs ours
            """).Succeeded();
    }

    [Fact]
    public void Initrds_made_after_install_carry_our_files()
    {
        Assert.SkipUnless(Sys.IsRoot, "only root can run programs in another root");
        Tools.Run("cp", "-a", "--reflink=auto", BootRoot.Path + "/.", world.At("root")).Succeeded();
        world.Run("initrd", "install", "--root", "root").Succeeded();
        world.Shell("""
            set -e
            version=$(ls root/lib/modules)
            chroot root mkinitramfs -o /made $version 2> said || { cat said; exit 1; }
            $H initrd verify root/made
            $H initrd cat root/made hacktree/bind-ro | cmp - root/usr/share/initramfs-tools/hacktree/bind-ro
            $H initrd cat root/made hacktree/version | cmp - root/usr/share/initramfs-tools/hacktree/version

            # What is there already is not ours to append or take away, but appending does no harm.
            $H initrd unpatch root/made same; cmp root/made same
            $H initrd patch root/made twice; $H initrd verify twice
            $H initrd install --remove --root root
            chroot root mkinitramfs -o /made $version 2> said || { cat said; exit 1; }
            $H initrd ls root/made | grep hacktree && exit 1
            code=0; $H initrd verify root/made || code=$?; [ $code = 3 ]
            """).Succeeded();
    }

    [Fact]
    public void An_initrd_of_dracut_made_after_install_carries_our_files()
    {
        Assert.SkipUnless(Sys.IsRoot, "only root can run programs in another root");
        Assert.SkipWhen(BootFiles.Under("dracut").Count == 0, "the program has no dracut module");
        Tools.Run("cp", "-a", "--reflink=auto", BootRoot.Path + "/.", world.At("root")).Succeeded();
        world.Run("initrd", "install", "--dracut", "--root", "root").Succeeded();
        world.Shell("""
            set -e
            chroot root dracut --quiet --force --no-hostonly /made $(ls root/lib/modules) 2> said || { cat said; exit 1; }
            $H initrd verify root/made
            $H initrd cat root/made hacktree/bind-ro | cmp - root/usr/lib/dracut/modules.d/90hacktree/bind-ro
            """).Succeeded();
    }
}
