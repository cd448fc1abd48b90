using HackTree.Boot;
using HackTree.Checkout;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using HackTree.Tests.Checkout;
using HackTree.Tests.Support;
using HackTree.Tests.Tidy;

namespace HackTree.Tests.Boot;

/// <summary>
/// Runs functions of the boot script in this machine's sh, for cases that no boot of these tests reaches. The script reads records as text, by
/// the rules of FORMAT.md, section 9. The records here are those that the program writes.
/// </summary>
public sealed class SubrootScriptTests : IDisposable
{
    private readonly StorePlace place = new();
    private readonly Digest commit;

    public SubrootScriptTests()
    {
        Directory.CreateDirectory(place.At("source/sbin"));
        Directory.CreateDirectory(place.At("source/etc"));
        File.Copy("/bin/true", place.At("source/sbin/init"));
        commit = place.Commit("source");
    }

    public void Dispose() => place.Dispose();

    [Fact]
    public void The_last_word_counts_as_for_other_options_of_the_kernel()
    {
        const string script = "cat() { echo 'ro subroot=r1 subroot.rw quiet subroot=r2 subroot.rwx'; }; subroot_argument subroot; subroot_argument subroot.rw; subroot_argument sub || echo none";
        Assert.Equal("r2\n\nnone\n", Run(script).Succeeded());
    }

    [Fact]
    public void Another_root_is_chosen_and_what_is_said_of_it_is_no_part_of_its_name()
    {
        Assert.SkipUnless(Sys.IsRoot, "only root can hide /dev/kmsg");
        place.Checkout(commit, "r0");
        string script = $"mount -t tmpfs tmpfs /dev; mkdir /dev/kmsg; subroot_choose {place.At("")} /sbin/init";
        ToolResult result = Tools.Run("unshare", "--mount", "sh", "-c", $"{Source}; {script}");
        Assert.Equal("r0\n", result.Succeeded());
        Assert.Contains("booting r0 instead", result.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("usr/sbin/real", "ln -s /usr/sbin sbin; ln -s real usr/sbin/init", true)]
    [InlineData("usr/lib/systemd/systemd", "ln -s usr/sbin sbin; ln -s /lib/systemd/systemd usr/sbin/init; ln -s usr/lib lib", true)]
    [InlineData("usr/lib/init", "mkdir sbin; ln -s ../../usr/./lib//init sbin/init", true)]
    [InlineData("usr/lib/other", "mkdir sbin; ln -s /usr/lib/init sbin/init", false)]
    [InlineData("usr/lib/other", "ln -s /sbin sbin", false)]
    [InlineData("usr/lib/other", "ln -s /bin sbin; ln -s sh bin; ln -s /bin/sh usr/sbin/init", false)]
    public void The_init_is_looked_for_in_the_root_alone_whatever_links_lead_there(string program, string links, bool isFound)
    {
        string root = place.At("linked root");
        string script = $"mkdir -p '{root}'; cd '{root}'; mkdir -p usr/sbin $(dirname {program}); cp /bin/true {program}; {links}; subroot_has_init '{root}' /sbin/init && echo found || echo none";
        Assert.Equal(isFound ? "found\n" : "none\n", Run(script).Succeeded());
    }

    [Fact]
    public void The_newest_root_by_the_records_is_one_that_is_whole_and_has_an_init()
    {
        CheckOut("old", time: 10);
        CheckOut("newest", time: 30);
        CheckOut("no-init", time: 40);
        File.Delete(place.At("no-init/sbin/init"));
        CheckOut("gone", time: 50);
        Directory.Move(place.At("gone"), place.At(".gone.partial"));
        using (RootTurn turn = place.Store.Roots.TakeTurn("unfinished", "unfinished"))
        {
            turn.Write(BuildRecord.OfRemoval(Record("newest") with { Path = "unfinished", Time = 60 }, new DirectoryIdentity(1, null), above: 1), inOrder: false);
            CopyOf("newest", "unfinished");
        }

        Assert.Equal("newest\n", Run($"subroot_newest {place.At("")} /sbin/init").Succeeded());
    }

    [Fact]
    public void Each_property_is_read_as_the_record_has_it()
    {
        const string Name = "deb12+1 & 'ü'";
        RootBuilder.Run(place.Store, commit, "\"path\": \"forged\"\n\"time\": 1", place.At(Name), new CheckoutOptions { Method = CheckoutMethod.Copy });
        RootRecord record = Record(Name);
        File.Copy(place.At($"objects/roots/{Name}.json"), place.At("record"));
        string script = $"for key in path commit time method state inode above sealed; do subroot_property {place.At("record")} $key; done; subroot_property {place.At("record")} boot || echo none";
        string[] expected =
        [
            Name, $"{record.Commit}", $"{record.Time}", "Copy", "Ready", $"{record.Directory!.Value.Inode}", $"{record.Above}", $"{record.SealedAt}", "none", "",
        ];
        Assert.Equal(expected, Run(script).Succeeded().Split('\n'));
        Assert.Equal($"{place.At("")}/objects/roots/{Name}.json\n", Run($"subroot_record {place.At("")} \"{Name}\"").Succeeded());
    }

    [Theory]
    [InlineData(CheckoutMethod.Hardlink, false, "none")]
    [InlineData(CheckoutMethod.Hardlink, true, "etc")]
    [InlineData(CheckoutMethod.Copy, false, "files etc")]
    public void What_belongs_to_a_root_is_read_from_its_record(CheckoutMethod method, bool boot, string owned)
    {
        RootBuilder.Run(place.Store, commit, "test", place.At("r0"), new CheckoutOptions { Method = method, Boot = boot });
        const string script = "subroot_owns_files r0 $r && echo -n 'files '; subroot_owns_etc r0 $r && echo etc || echo none";
        Assert.Equal($"{owned}\n", Run($"r=$(subroot_record {place.At("")} r0); {script}").Succeeded());
    }

    [Fact]
    public void A_system_that_was_made_a_root_owns_its_files_by_the_journal_of_the_conversion()
    {
        var journal = new ConversionJournal
        {
            Root = "r0",
            State = ConversionState.Done,
            MenuFile = InstalledGrub.CustomFile,
            IsMenuFileNew = true,
            IsPhysicalRootNew = true,
        };
        using var physical = new TempDirectory();
        journal.Write(physical.Handle, "journal");
        string script = $"subroot_keep={physical.Path}; for r in r0 r1; do subroot_owns_files $r '' && echo $r; done; :";
        Assert.Equal("r0\n", Run(script).Succeeded());
    }

    [Theory]
    [InlineData("UUID=x /home ext4 defaults 0 2\n", true)]
    [InlineData("# a comment\n\nLABEL=x\t/home//\tauto", true)]
    [InlineData("UUID=x /home ext4 noauto,x-systemd.automount 0 2\n", true)]
    [InlineData("/data/home /home none bind", true)]
    [InlineData("UUID=x /home ext4 rw,noauto 0 2\n", false)]
    [InlineData("#UUID=x /home ext4 defaults 0 2\n", false)]
    [InlineData("UUID=x /home/alice ext4 defaults 0 2\nUUID=y none swap sw\n", false)]
    [InlineData("UUID=x /homes ext4 * 0 2\n/home", false)]
    [InlineData("", false)]
    public void What_fstab_mounts_is_left_to_it(string fstab, bool isLeft)
    {
        Directory.CreateDirectory(place.At("new/etc"));
        File.WriteAllText(place.At("new/etc/fstab"), fstab);
        Assert.Equal(isLeft ? "left\n" : "bound\n", Run($"subroot_say() {{ :; }}; subroot_leaves {place.At("new")} /home && echo left || echo bound").Succeeded());
        Assert.Equal(isLeft, Directory.Exists(place.At("new/home")));
        Assert.Equal(isLeft, Fstab.Parse(fstab).Any(line => line.Place == "/home" && (!line.Options.Contains("noauto") || line.Options.Contains("x-systemd.automount"))));
    }

    [Theory]
    [InlineData("etc/systemd/system/local-fs.target.wants", "var-lib.mount", "/var/lib", true)]
    [InlineData("usr/lib/systemd/system/local-fs.target.requires", "tmp.mount", "/tmp", true)]
    [InlineData("etc/systemd/system/multi-user.target.wants", "home.automount", "/home", true)]
    [InlineData("etc/systemd/system", "home.mount", "/home", false)]
    [InlineData("etc/systemd/system/local-fs.target.wants", "var-lib.mount", "/var", false)]
    public void What_an_enabled_unit_mounts_is_left_to_it(string folder, string unit, string point, bool isLeft)
    {
        Directory.CreateDirectory(place.At($"new/{folder}"));
        File.CreateSymbolicLink(place.At($"new/{folder}/{unit}"), $"/lib/systemd/system/{unit}");
        string script = $"subroot_say() {{ :; }}; subroot_leaves {place.At("new")} {point} && echo left || echo bound";
        Assert.Equal(isLeft ? "left\n" : "bound\n", Run(script).Succeeded());
        Directory.CreateDirectory(place.At("new/etc/systemd/system"));
        File.Delete(place.At($"new/etc/systemd/system/{unit}"));
        File.CreateSymbolicLink(place.At($"new/etc/systemd/system/{unit}"), "/dev/null");
        Assert.Equal("bound\n", Run(script).Succeeded());
    }

    [Fact]
    public void The_script_mounts_on_the_directories_that_a_root_to_be_booted_gets()
    {
        foreach (string name in new[] { "new/etc", "keep/boot", "keep/r0/var/lib/dpkg" })
        {
            Directory.CreateDirectory(place.At(name));
        }

        File.WriteAllText(place.At("new/etc/machine-id"), "");

        // What is mounted is told instead: TARGET SOURCE. The entry ends where bind-ro would be run.
        string script = $$"""
            mount() { case $2 in bind) echo "$4 $3" ;; esac; }
            subroot_say() { :; }
            subroot_argument() { return 1; }
            subroot_choose() { echo r0; }
            subroot_keep={{place.At("keep")}}
            subroot_enter {{place.At("new")}} /sbin/init 2> /dev/null
            """;
        string[] mounts = Run(script).Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);

        IEnumerable<string> made = Directory.GetDirectories(place.At("new")).Select(path => Path.GetFileName(path)).Where(name => name != "etc");
        Assert.Equal(MountPoints.All.Select(point => point.Name).Order(), made.Order());
        IEnumerable<string> shared = ImageLayout.Shared.Select(name => $"{place.At("new")}/{name} {place.At("keep")}/{name}");
        Assert.Equal(shared.Order(), mounts.Where(line => shared.Contains(line)).Order());
        Assert.Contains($"{place.At("new")}/{ImageLayout.PackageDatabase} {place.At("keep")}/r0/{ImageLayout.PackageDatabase}", mounts);
        Assert.All(mounts, line => Assert.True(shared.Contains(line) || !MountPoints.Showing(MountedPlace.Shared).Any(name => line.EndsWith($"keep/{name}", StringComparison.Ordinal))));
    }

    private void CheckOut(string name, long time)
    {
        place.Checkout(commit, name);
        using RootTurn turn = place.Store.Roots.TakeTurn(name, name);
        turn.Write(Record(name) with { Time = time });
    }

    private RootRecord Record(string name) => place.Store.Roots.Find(name)!;

    private void CopyOf(string name, string copy) => Tools.Run("cp", "-al", place.At(name), place.At(copy)).Succeeded();

    private static string Source => string.Join("; ", new[] { "subroot", "image", "trial" }.Select(name => $". {Path.Combine(Repository.Root, $"boot/initramfs/hacktree/{name}.sh")}"));

    private static ToolResult Run(string script) => Tools.Run("sh", "-c", $"{Source}; {script}");
}
