using HackTree.Boot;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using HackTree.Tests.Support;

namespace HackTree.Tests.Boot;

/// <summary>
/// The choice in the entries of systemd-boot, on a filesystem of its own where the EFI system partition would be. SystemdBootTests runs the loader
/// itself.
/// </summary>
public sealed class SystemdBootChoiceTests : BootChoiceTests
{
    private bool isMounted;

    private string Efi => At("boot/efi");

    private protected override void MakeLoader()
    {
        Assert.SkipUnless(Sys.IsRoot, "only root can mount a filesystem");
        Directory.CreateDirectory(Efi);
        Tools.Run("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", Efi).Succeeded();
        isMounted = true;
        File.WriteAllText(At("boot/vmlinuz-6.1"), "kernel");
        File.WriteAllText(At("boot/initrd.img-6.1"), "initrd");
        new BootMenu("6.1", ["r0"], "r0", "root=UUID=1 ro quiet", 5).WriteLoaderFiles(Efi, At("boot"));
    }

    private protected override string Start()
    {
        string options = SystemdBootModel.Start(Efi);
        Assert.StartsWith("root=UUID=1 ro quiet subroot=", options, StringComparison.Ordinal);
        return options["root=UUID=1 ro quiet ".Length..];
    }

    private protected override void CleanUp()
    {
        if (isMounted)
        {
            Tools.Run("umount", "-l", Efi);
        }
    }

    [Fact]
    public void Roots_with_one_kernel_share_its_file_and_a_file_that_no_entry_names_goes()
    {
        MakeLoader();
        string[] Copies() =>
            [.. Directory.GetFiles(Path.Combine(Efi, "hacktree"), "*", SearchOption.AllDirectories).Select(file => Path.GetFileName(file)!).Order(StringComparer.Ordinal)];
        Assert.Equal(["hacktree.cpio.gz", "initrd.img-6.1", "vmlinuz-6.1"], Copies());
        Choice.Place("r1", At("boot/vmlinuz-6.1"), At("boot/initrd.img-6.1"));
        Assert.Equal(["hacktree.cpio.gz", "initrd.img-6.1", "vmlinuz-6.1"], Copies());

        // A damaged copy is made anew.
        string damaged = Directory.GetFiles(Path.Combine(Efi, "hacktree"), "initrd.img-6.1", SearchOption.AllDirectories).Single();
        File.WriteAllText(damaged, "initrx");
        Choice.Place("r1", At("boot/vmlinuz-6.1"), At("boot/initrd.img-6.1"));
        Assert.Equal("initrd", File.ReadAllText(damaged));

        // Another initrd of the same kernel.
        File.WriteAllText(At("boot/initrd.img-6.1"), "made anew");
        Choice.Place("r1", At("boot/vmlinuz-6.1"), At("boot/initrd.img-6.1"));
        Assert.Equal(["hacktree.cpio.gz", "initrd.img-6.1", "initrd.img-6.1", "vmlinuz-6.1"], Copies());

        // It goes with the root, at the next write.
        Directory.Delete(At("r1"), recursive: true);
        File.WriteAllText(Path.Combine(Efi, "loader/entries/r9+1.conf.0123.partial"), "cut off");
        Directory.CreateDirectory(Path.Combine(Efi, "hacktree/mine"));
        Choice.Choose("r0");
        Assert.Equal(["hacktree.cpio.gz", "initrd.img-6.1", "vmlinuz-6.1"], Copies());
        Assert.Equal(["r0-1.conf"], EntryNames());
        Place("r2");
        Assert.Equal(3, Copies().Length);
        File.WriteAllText(At("boot/initrd"), "another");
        Place("r2");
        Assert.Equal(4, Copies().Length);
        Choice.Forget("r2");
        Assert.Equal((3, "r0-1.conf"), (Copies().Length, Assert.Single(EntryNames())));
        Assert.True(Directory.Exists(Path.Combine(Efi, "hacktree/mine")));
    }

    [Fact]
    public void The_names_and_texts_of_entries_are_those_of_the_specification()
    {
        MakeLoader();
        Try("r1", 3);
        Assert.Equal(["r0.conf", "r1+3.conf"], EntryNames());
        string[] lines = File.ReadAllLines(Path.Combine(Efi, "loader/entries/r1+3.conf"));
        string kernel = $"/hacktree/{Verity.Compute("kernel"u8)}/vmlinuz-6.1", initrd = $"/hacktree/{Verity.Compute("initrd"u8)}/initrd.img-6.1";
        string segment = $"/hacktree/{Verity.Compute(InitrdPatch.Segment())}/hacktree.cpio.gz";
        Assert.Equal(
            [
                "title r1", "sort-key 0-hacktree", "version 2", $"linux {kernel}", $"initrd {initrd}", $"initrd {segment}",
                "options root=UUID=1 ro quiet subroot=r1 subroot.trial subroot.fallback=r0 panic=10",
            ],
            lines);
        _ = Start();
        Assert.Equal(["r0.conf", "r1+2-1.conf"], EntryNames());
        Choice.Choose("r1");
        Assert.Equal(["r0.conf", "r1.conf"], EntryNames());
        Assert.Equal("timeout 5\nconsole-mode keep\n", File.ReadAllText(Path.Combine(Efi, "loader/loader.conf")));
    }

    [Fact]
    public void An_entry_that_changes_gets_another_file_and_what_a_power_cut_left_of_one_does_no_harm()
    {
        MakeLoader();
        Choice.Renew("r0");
        Assert.Equal(["r0-1.conf"], EntryNames());
        Try("r1", 3);
        _ = Start();
        Choice.Renew("r1");
        Assert.Equal(["r0-1.conf", "r1-1+2-1.conf"], EntryNames());
        Assert.Equal("default r0, previous , trial r1 2", Words);

        // fsck.vfat empties a file whose clusters are free. A kill leaves both files.
        string entries = Path.Combine(Efi, "loader/entries");
        File.WriteAllText(Path.Combine(entries, "r0.conf"), "");
        File.Copy(Path.Combine(entries, "r1-1+2-1.conf"), Path.Combine(entries, "r1+2-1.conf"));
        Assert.Equal("default r0, previous , trial r1 2", Words);
        Choice.Choose("r1");
        Assert.Equal(["r0-1.conf", "r0.conf", "r1.conf"], EntryNames());
        Choice.Choose("r0");
        Assert.Equal(["r0-2.conf", "r0.conf", "r1.conf"], EntryNames());
        Assert.Equal(["subroot=r0"], Starts(1));
    }

    [Fact]
    public void Other_systems_entries_and_what_somebody_added_to_ours_stay()
    {
        MakeLoader();
        string entries = Path.Combine(Efi, "loader/entries");
        File.WriteAllText(Path.Combine(entries, "debian.conf"), "title Debian\nsort-key debian\nversion 999\nlinux /vmlinuz\noptions root=/dev/sda1\n");
        File.AppendAllText(Path.Combine(entries, "r0.conf"), "devicetree /board.dtb\n# a note\noptions audit=0\n");
        Try("r1", 1);
        Assert.Contains("devicetree /board.dtb\n", File.ReadAllText(Path.Combine(entries, "r1+1.conf")), StringComparison.Ordinal);
        Assert.Contains("options root=UUID=1 ro quiet audit=0 subroot=r1 subroot.trial", File.ReadAllText(Path.Combine(entries, "r1+1.conf")), StringComparison.Ordinal);
        Assert.Equal("default r0, previous , trial r1 1", Words);
        Assert.Equal(["debian.conf", "r0.conf", "r1+1.conf"], EntryNames());

        // One more of a root, with a name of somebody's own.
        string rescue = Path.Combine(entries, "r0-rescue.conf");
        File.Copy(Path.Combine(entries, "r0.conf"), rescue);
        File.WriteAllText(rescue, File.ReadAllText(rescue).Replace("version 1\n", "version 0\n", StringComparison.Ordinal) + "options rescue\n");
        Choice.Renew("r0");
        Assert.Equal(["debian.conf", "r0-1.conf", "r0-rescue.conf", "r1+1.conf"], EntryNames());
        Choice.Choose("r1");
        Assert.Equal(["debian.conf", "r0-1.conf", "r0-rescue.conf", "r1.conf"], EntryNames());
        Assert.Contains("rescue", File.ReadAllText(rescue), StringComparison.Ordinal);
    }

    [Fact]
    public void A_disk_of_an_earlier_version_is_taken_over_when_its_menu_names_no_default()
    {
        MakeLoader();
        string entries = Path.Combine(Efi, "loader/entries");
        File.WriteAllText(Path.Combine(Efi, "loader/loader.conf"), "default r0.conf\ntimeout 3\n");
        Assert.Contains("has the line 'default r0.conf'", Assert.Throws<StoreException>(() => Choice).Message, StringComparison.Ordinal);
        File.WriteAllText(Path.Combine(Efi, "loader/loader.conf"), "timeout 3\n");
        File.WriteAllText(Path.Combine(Efi, "vmlinuz"), "kernel");
        File.WriteAllText(Path.Combine(entries, "r0.conf"), "title r0\nversion 6.1.0\nlinux /vmlinuz\ninitrd /vmlinuz\noptions root=UUID=1 ro quiet subroot=r0\n");
        Place("r1");
        Assert.Equal("subroot=r0", Start());
        Try("r1", 1);
        Assert.Equal(["subroot=r1 subroot.trial subroot.fallback=r0 panic=10", "subroot=r0"], Starts(2));
    }

    [Fact]
    public void Without_space_or_with_a_name_that_the_loader_does_not_take_a_root_is_refused_and_nothing_changes()
    {
        MakeLoader();
        File.WriteAllBytes(At("boot/initrd"), new byte[4 * 1024 * 1024]);
        string[] before = Everything();
        StoreException full = Assert.Throws<StoreException>(() => Place("r1"));
        Assert.Matches("take 6 MB on the EFI system partition, and 4 MB are free", full.Message);
        File.WriteAllText(At("boot/initrd"), "small");
        Assert.Contains("auto-", Assert.Throws<StoreException>(() => Place("auto-1")).Message, StringComparison.Ordinal);
        Assert.Contains("differ only in case", Assert.Throws<StoreException>(() => Place("R0")).Message, StringComparison.Ordinal);
        Assert.Contains("no entry of r7", Assert.Throws<StoreException>(() => Choice.Try("r7", 1)).Message, StringComparison.Ordinal);
        Assert.Equal(before, Everything());
        Assert.False(Choice.Offers("r1"));
    }

    [Fact]
    public void A_roots_own_options_are_in_its_entries_and_in_no_others()
    {
        MakeLoader();
        Try("r1", 3);
        _ = Start();
        var options = new KernelOptions(At("r1"), Choice.OptionsOf("r1"));
        Assert.Equal(["quiet"], options.Words);
        options.Append("audit=0");
        options.Write();
        Choice.Renew("r1");
        Assert.Equal(["r0.conf", "r1-1+2-1.conf"], EntryNames());
        string Options(string file) => File.ReadLines(Path.Combine(Efi, "loader/entries", file)).Single(line => line.StartsWith("options ", StringComparison.Ordinal));
        Assert.Equal("options root=UUID=1 ro quiet audit=0 subroot=r1 subroot.trial subroot.fallback=r0 panic=10", Options("r1-1+2-1.conf"));
        Assert.Equal("options root=UUID=1 ro quiet subroot=r0", Options("r0.conf"));

        // A new root has them if its /etc says so: after a merge.
        Directory.CreateDirectory(At("r2/etc/hacktree"));
        File.Copy(At("r1/etc/hacktree/kernel-options"), At("r2/etc/hacktree/kernel-options"));
        Place("r2");
        Assert.Equal("options root=UUID=1 ro quiet audit=0 subroot=r2", Options("r2.conf"));
    }

    [Fact]
    public void The_space_of_what_no_entry_names_counts_as_free()
    {
        MakeLoader();
        File.WriteAllBytes(At("boot/initrd"), new byte[2 * 1024 * 1024]);
        Place("r1");
        var other = new LoadedFile(Verity.Compute("other"u8), 2 * 1024 * 1024);
        Assert.Throws<StoreException>(() => Choice.RequireSpace([other]));
        Choice.RequireSpace([LoadedFile.Read(At("boot/initrd")), LoadedFile.Read(At("boot/kernel"))]);
        File.Delete(Path.Combine(Efi, "loader/entries/r1.conf"));
        Choice.RequireSpace([other]);
    }

    [Fact]
    public void A_partition_that_is_not_mounted_is_not_there()
    {
        MakeLoader();
        string copy = At("copy");
        Tools.Run("cp", "-a", Efi, copy).Succeeded();
        Tools.Run("umount", Efi).Succeeded();
        isMounted = false;
        Directory.Delete(Efi);
        Directory.Move(copy, Efi);
        Assert.Contains("no EFI system partition with a loader/ in it is mounted", Assert.Throws<StoreException>(() => Choice).Message, StringComparison.Ordinal);
    }

    private string[] EntryNames() => [.. Directory.GetFiles(Path.Combine(Efi, "loader/entries")).Select(file => Path.GetFileName(file)!).Order(StringComparer.Ordinal)];

    private string[] Everything() => [.. Directory.GetFileSystemEntries(Efi, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal)];
}
