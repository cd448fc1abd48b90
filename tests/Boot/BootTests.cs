using HackTree.Tests.Support;

namespace HackTree.Tests.Boot;

/// <summary>
/// Boots of roots, with the script that `hacktree initrd patch` adds to a stock initrd. Each boot takes most of a minute, so each test checks
/// several things.
/// </summary>
[Collection(BootCollection.Name)]
public sealed class BootTests(BootDisk disk) : IDisposable
{
    private const string LookAround =
        """
        say root "$(findmnt -n -o SOURCE,VFS-OPTIONS /)"
        say sysroot "$(findmnt -n -o SOURCE /sysroot)"
        for f in /usr/written /etc/written /var/written /root/written /tmp/written /home/written; do
            if touch $f; then say $f yes; else say $f no; fi
        done
        say packages "$(dpkg-query -W systemd | cut -f 1)"
        say private "$(systemd-run -q --wait -p PrivateTmp=yes -p ProtectSystem=strict true && unshare -U true && echo works)"
        say said "$(dmesg | grep -o 'hacktree: .*')"
        """;

    private readonly TempDirectory directory = new();

    public void Dispose() => directory.Dispose();

    [Fact]
    public void A_root_boots_makes_another_from_inside_which_boots_and_collects_the_first()
    {
        disk.Ok("checkout", "--boot", "debian", "/r0");
        string initrd = Patched(BootRoot.Initrd);
        BootResult first = disk.Boot("r0", initrd, "subroot=r0", LookAround +
            """

            echo 127.0.1.1 r0 >> /etc/hosts
            head -c 20000 /dev/urandom > /etc/measured
            say libc "$(stat -c %i /lib/x86_64-linux-gnu/libc.so.6) $(stat -c %i /sysroot/r0/lib/x86_64-linux-gnu/libc.so.6)"
            say commit "$(hacktree commit -b inside / 2>&1 >/dev/null | head -1)"
            say checkout "$(hacktree checkout --boot inside /sysroot/r5 2>&1 >/dev/null; echo $?)"
            say linked "$(stat -c %i /bin/bash) $(stat -c %i /sysroot/r5/bin/bash)"
            object=$(find /sysroot/objects/files -type f -size 20000c -newer /sysroot/check.sh -print -quit)
            time=$(stat -c %Y $object)
            say enable "$(fsverity enable $object && echo done)"
            touch -d @$time $object # ext4 dates the file anew when it enables fs-verity
            say measured "$(fsverity measure $object | cut -d ' ' -f 1 | cut -d : -f 2)"
            say named "$(echo $object | sed 's,.*/files/,,; s,/,,' | cut -c 1-64)"
            say written "$( (echo x >> $object) 2>&1 | grep -o 'Operation not permitted')"
            say fsck "$(hacktree fsck 2>&1; echo $?)"
            say busy "$(hacktree roots rm r0 2>&1)"
            """);
        first.RequireRunning();
        RequireReadOnlyRoot(first, "r0");
        Assert.Equal("yes", first["/etc/written"]);
        Assert.Single(first["libc"].Split(' ').Distinct());
        Assert.Single(first["linked"].Split(' ').Distinct());
        Assert.Contains("/sysroot/r0", first["commit"], StringComparison.Ordinal);
        Assert.EndsWith(";0", first["checkout"], StringComparison.Ordinal);
        Assert.Equal("done", first["enable"]);
        Assert.Equal(first["named"], first["measured"]);
        Assert.Equal("Operation not permitted", first["written"]);
        Assert.EndsWith(";0", first["fsck"], StringComparison.Ordinal);
        Assert.Contains("running system's root", first["busy"], StringComparison.Ordinal);

        BootResult second = disk.Boot("r5", initrd, "subroot=r5", LookAround +
            """

            say hosts "$(grep -c r0 /etc/hosts)"
            say remove "$(hacktree roots rm r0 2>&1; hacktree gc > /dev/null 2>&1; echo $?)"
            say fsck "$(hacktree fsck 2>&1; echo $?)"
            say roots "$(hacktree roots | grep -c /r0)"
            say left "$(ls /sysroot | grep r0)"
            """);
        second.RequireRunning();
        RequireReadOnlyRoot(second, "r5");
        Assert.EndsWith(";0", second["fsck"], StringComparison.Ordinal);
        Assert.Equal(("1", "0", "0", ""), (second["hosts"], second["remove"], second["roots"], second["left"]));
    }

    [Fact]
    public void A_root_that_is_missing_is_named_and_the_newest_one_boots_from_a_gzip_initrd_behind_microcode()
    {
        disk.Ok("checkout", "debian", "/plain");
        BootResult boot = disk.Boot("fallback", Patched(WithMicrocode(Recompressed("gzip -1"))), "quiet subroot=r7", LookAround);
        boot.RequireRunning();
        RequireReadOnlyRoot(boot, "plain");
        Assert.Contains("subroot=r7 cannot be booted: there is no /r7; booting plain instead", boot.Log, StringComparison.Ordinal);

        // A plain checkout shares the files of /etc too.
        Assert.Equal("no", boot["/etc/written"]);
        Assert.Contains("/etc is read-only", boot["said"], StringComparison.Ordinal);
        disk.Ok("roots", "rm", "/plain");
    }

    [Fact]
    public void A_root_without_init_gives_way_to_the_named_fallback_and_rw_is_refused_for_hardlinks()
    {
        disk.Ok("checkout", "--boot", "debian", "/good");
        disk.Ok("checkout", "--boot", "debian", "/broken");
        disk.Ok("checkout", "--boot", "debian", "/newer");
        disk.Change(at => File.Delete(at("broken/usr/sbin/init")));
        BootResult boot = disk.Boot("broken", Patched(Recompressed("xz -0 --check=crc32")), "subroot=/broken subroot.fallback=good subroot.rw", LookAround);
        boot.RequireRunning();
        RequireReadOnlyRoot(boot, "good");
        Assert.Contains("/broken has no /sbin/init; booting good instead", boot["said"], StringComparison.Ordinal);
        Assert.Contains("subroot.rw is refused", boot["said"], StringComparison.Ordinal);
        Assert.Equal("yes", boot["/etc/written"]);
        disk.Ok("roots", "rm", "/good", "/broken", "/newer");
    }

    [Fact]
    public void A_copy_can_be_written_to()
    {
        disk.Ok("checkout", "--copy", "debian", "/copy");
        BootResult boot = disk.Boot("copy", Patched(BootRoot.Initrd), "subroot=copy subroot.rw", LookAround);
        boot.RequireRunning();
        Assert.Equal("/dev/vda[/copy] rw,relatime", boot["root"]);
        Assert.Equal(("yes", "yes", "yes"), (boot["/usr/written"], boot["/etc/written"], boot["/root/written"]));
        Assert.Contains("/copy is the root, writable", boot["said"], StringComparison.Ordinal);
        disk.Ok("roots", "rm", "/copy");
    }

    [Fact]
    public void Without_subroot_the_patched_initrd_boots_as_stock_Debian_does()
    {
        BootResult boot = disk.Boot("stock", Patched(BootRoot.Initrd), "ro", LookAround);
        boot.RequireRunning();
        Assert.StartsWith("/dev/vda rw", boot["root"], StringComparison.Ordinal);
        Assert.Equal(("", "", "yes"), (boot["said"], boot["sysroot"], boot["/usr/written"]));
    }

    [Fact]
    public void A_root_boots_from_an_initrd_that_dracut_made()
    {
        Tools.Require("unshare");
        string debian = directory.At("debian");
        Tools.Run("cp", "-a", "--reflink=auto", BootRoot.Path, debian).Succeeded();
        Crash.Hacktree.Run("initrd", "install", "--dracut", "--root", debian).Succeeded();
        string make = $"mount -t proc proc {debian}/proc && mount --bind /dev {debian}/dev && exec chroot {debian} dracut --quiet --no-hostonly --force /initrd $(ls {debian}/lib/modules)";
        Tools.Run("unshare", "-m", "sh", "-c", make).Succeeded();
        disk.Ok("checkout", "--boot", "debian", "/dracut");
        BootResult boot = disk.Boot("dracut", $"{debian}/initrd", "subroot=dracut", LookAround);
        boot.RequireRunning();
        RequireReadOnlyRoot(boot, "dracut");
        Assert.Equal("yes", boot["/etc/written"]);
        disk.Ok("roots", "rm", "/dracut");
    }

    private static void RequireReadOnlyRoot(BootResult boot, string root)
    {
        Assert.Equal($"/dev/vda[/{root}] ro,relatime", boot["root"]);
        Assert.Equal("/dev/vda", boot["sysroot"]);
        Assert.Equal("no", boot["/usr/written"]);
        foreach (string place in new[] { "var", "root", "tmp", "home" })
        {
            Assert.Equal("yes", boot[$"/{place}/written"]);
        }

        Assert.Equal("systemd", boot["packages"]);
        Assert.Equal("works", boot["private"]);
        Assert.Contains($"/{root} is the root, read-only", boot["said"], StringComparison.Ordinal);
    }

    private string Patched(string initrd)
    {
        string patched = directory.At("initrd");
        Crash.Hacktree.Run("initrd", "patch", initrd, patched).Succeeded();
        return patched;
    }

    private string Recompressed(string compressor)
    {
        Tools.Run("sh", "-c", $"zstd -dcq {BootRoot.Initrd} | {compressor} > {directory.At("recompressed")}").Succeeded();
        return directory.At("recompressed");
    }

    /// <summary>An uncompressed archive at the start of the initrd, like one with microcode. The kernel accepts any name in it.</summary>
    private string WithMicrocode(string initrd)
    {
        string folder = "kernel/x86/microcode";
        Directory.CreateDirectory(directory.At(folder));
        directory.Write($"{folder}/AuthenticAMD.bin", Content.Of(10_000));
        Tools.Run("sh", "-c", $"cd {directory.Path} && find kernel | cpio -o -H newc --quiet > early && cat early {initrd} > with-early").Succeeded();
        return directory.At("with-early");
    }
}
