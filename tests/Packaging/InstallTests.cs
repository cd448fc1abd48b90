using HackTree.Linux;
using HackTree.Tests.Boot;
using HackTree.Tests.Support;
using HackTree.Tests.Tidy;

namespace HackTree.Tests.Packaging;

/// <summary>The package is installed in a Debian root by dpkg, and goes again.</summary>
[Collection(PackageCollection.Name)]
public sealed class InstallTests(BuiltPackage built)
{
    /// <summary>All of a root but dpkg's own notes and logs. Directories have no times here: names came and went in them.</summary>
    private const string Listing = """
        find . \( -path ./var/log -o -path './var/lib/dpkg/*' ! -path './var/lib/dpkg/info*' \) -prune \
            -o -type d -printf '%P %y %m %U %G\n' -o -printf '%P %y %m %U %G %s %T@ %l\n' | sort
        """;

    private const string Settings = "/etc/hacktree/hacktree.conf";

    [Theory]
    [InlineData("bookworm")]
    [InlineData("trixie", Explicit = true)]
    public void A_root_is_as_it_was_when_the_package_has_come_and_gone(string release)
    {
        string root = CopyOf(DebianRoot(release), release), newer = MakeNewer(release);
        string before = Shell(root, Listing);
        string packages = In(root, "dpkg -l");

        In(root, $"dpkg -i /{Path.GetFileName(built.Package)}");
        Assert.Equal("", In(root, "dpkg --verify hacktree; dpkg --audit"));
        if (BuiltPackage.IsNative)
        {
            string version = Tools.Run(Repository.Program, "--version").Succeeded().Split(' ')[1];
            Assert.Contains($"\"version\":\"{version}\"", In(root, "hacktree version --json").Replace(" ", "", StringComparison.Ordinal));
            In(root, "hacktree init && hacktree commit -b test /usr/share/doc/hacktree && hacktree checkout test /r1 && hacktree fsck");
        }
        else
        {
            In(root, "mkdir /objects /r1 && echo > /objects/format");
        }

        In(root, "mkdir -p /var/lib/hacktree/failed && echo > /var/lib/hacktree/failed/r2; echo > /etc/hacktree/health.d/mine");
        const string Enabled = "/etc/systemd/system/timers.target.wants";
        In(root, $"mkdir -p {Enabled} && ln -s /usr/lib/systemd/system/hacktree-upgrade.timer {Enabled}/");
        string kept = Shell(root, "find objects r1 | sort");

        In(root, $"echo Reboot=no >> {Settings} && dpkg -i /{newer} && grep -x Reboot=no {Settings}");
        Assert.EndsWith("+1", In(root, "dpkg-query -W -f '${Version}' hacktree"));
        In(root, $"dpkg -r hacktree && ! [ -e /usr/bin/hacktree ] && [ -e /etc/hacktree/health.d/mine ] && [ -e {Settings} ] && [ -e /var/lib/hacktree/failed/r2 ]");
        Assert.Contains("the store /objects and all roots stay", In(root, "dpkg -P hacktree"));
        Assert.Equal(kept, Shell(root, "find objects r1 | sort"));

        In(root, $"[ -e /etc/hacktree/health.d/mine ] && ! [ -e {Settings} ] && rm -r /etc/hacktree /objects /r1; rmdir -p --ignore-fail-on-non-empty {Enabled}");
        Assert.Equal(before, Shell(root, Listing));
        Assert.Equal(packages, In(root, "dpkg -l"));
    }

    [Fact]
    public void Initrds_are_made_again_when_the_package_comes_and_goes()
    {
        string root = CopyOf(BootRoot.Path, "boot");
        // An initrd without modules, packed by the fastest: it is not booted.
        File.WriteAllText(Path.Combine(root, "etc/initramfs-tools/conf.d/fast"), "MODULES=list\nCOMPRESS=lz4\n");
        string before = Shell(root, Listing + " | grep -v '^boot/initrd'");
        In(root, $"dpkg -i /{Path.GetFileName(built.Package)}");
        Assert.Equal("hacktree/bind-ro\nhacktree/image.sh\nhacktree/mount-image\nhacktree/subroot.sh\nhacktree/trial.sh\nscripts/subroot\n", In(root, Content));
        In(root, "dpkg -P hacktree");
        Assert.Equal("", In(root, Content));
        Assert.Equal(before, Shell(root, Listing + " | grep -v '^boot/initrd'"));
    }

    /// <summary>Those files of the initrd that only the package brings.</summary>
    private const string Content = "lsinitramfs /boot/initrd.img-* | grep -xE 'hacktree/(bind-ro|image.sh|mount-image|subroot.sh|trial.sh)|scripts/subroot' || true";

    private static string DebianRoot(string release)
    {
        Assert.SkipUnless(Sys.IsRoot, "only root can install a package");
        ToolResult made = Tools.Run(Path.Combine(Repository.Root, ".setup", "debian-root"), release);
        Assert.SkipWhen(made.ExitCode != 0, made.Error.Trim());
        return made.Output.Trim();
    }

    /// <summary>A copy of a root, with the package in it.</summary>
    private string CopyOf(string source, string name)
    {
        string package = built.Package, root = built.At(name);
        Tools.Run("cp", "-a", "--reflink=auto", source, root).Succeeded();
        File.Copy(package, Path.Combine(root, Path.GetFileName(package)));
        return root;
    }

    /// <summary>The package with a later version and one file more, in the copied root. Returns its name.</summary>
    private string MakeNewer(string release)
    {
        const string Name = "newer.deb";
        string folder = $"{release}-newer";
        Tools.Run("bash", "-ec", $"""
            dpkg-deb -R {built.Package} {built.At(folder)}
            cd {built.At(folder)}
            sed -i '/^Version/s/$/+1/' DEBIAN/control
            echo > usr/share/doc/hacktree/NEWS
            dpkg-deb -Znone --root-owner-group -b . {built.At(release)}/{Name}
            """).Succeeded();
        return Name;
    }

    private static string Shell(string root, string script) => Tools.Run("bash", "-o", "pipefail", "-ec", $"cd {root}; {script}").Succeeded();

    /// <summary>Runs a script in the root, as the machine would that the root is of. The kernel's command line names no root.</summary>
    private static string In(string root, string script) =>
        Tools.Run(
            "unshare", "--mount", "--pid", "--fork", "--kill-child", "bash", "-ec",
            "mount -t proc proc $0/proc; exec chroot $0 /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive /bin/sh -ec \"$1\"",
            root, script).Succeeded();
}
