using HackTree.Tests.Support;
using HackTree.Tests.Tidy;

namespace HackTree.Tests.Packaging;

/// <summary>What is in the package, and how it is called.</summary>
[Collection(PackageCollection.Name)]
public sealed class PackageTests(BuiltPackage built)
{
    [Fact]
    public void It_has_the_program_and_all_that_belongs_to_it()
    {
        string package = built.Package;
        Tools.Run("dpkg-deb", "-x", package, built.At("content")).Succeeded();
        Assert.Equal(File.ReadAllBytes(Repository.Program), File.ReadAllBytes(built.At("content/usr/bin/hacktree")));

        Tools.Run(Repository.Program, "man-pages", built.At("pages")).Succeeded();
        string[] pages = [.. Directory.GetFiles(built.At("pages")).Select(page => $"/usr/share/man/man1/{Path.GetFileName(page)}.gz")];
        Directory.CreateDirectory(built.At("installed"));
        Tools.Run(Repository.Program, "initrd", "install", "--root", built.At("installed"), "--initramfs-tools", "--dracut").Succeeded();
        string[] boot = [.. Files("installed")];
        Assert.Contains("/usr/share/initramfs-tools/hooks/hacktree", boot);
        string[] expected =
        [
            .. pages, .. boot, "/usr/bin/hacktree",
            "/usr/share/bash-completion/completions/hacktree", "/usr/share/zsh/vendor-completions/_hacktree", "/usr/share/fish/vendor_completions.d/hacktree.fish",
            .. new[] { "README.md", "JSON.md", "FORMAT.md", "copyright", "changelog.gz" }.Select(name => "/usr/share/doc/hacktree/" + name),
            .. Repository.Files("docs", ".md").Select(path => "/usr/share/doc/hacktree/" + Path.GetFileName(path)),
            "/usr/share/lintian/overrides/hacktree",
            "/usr/lib/systemd/system/hacktree-upgrade.service", "/usr/lib/systemd/system/hacktree-upgrade.timer", "/etc/hacktree/hacktree.conf",
        ];
        Assert.Equal(expected.Order(StringComparer.Ordinal), Files("content").Order(StringComparer.Ordinal));
        Assert.True(Directory.Exists(built.At("content/etc/hacktree/health.d")));
    }

    [Fact]
    public void It_says_what_it_is_and_needs_only_libc()
    {
        string package = built.Package;
        string said = Tools.Run(Repository.Program, "--version").Succeeded().Split(' ')[1];
        string version = Field(package, "Version");
        Assert.StartsWith(said.Split('+', '-')[0], version);
        Assert.Equal($"hacktree_{version}_{Field(package, "Architecture")}.deb", Path.GetFileName(package));
        if (BuiltPackage.IsNative)
        {
            Assert.Matches(@"^libc6 \(>= 2\.[0-9]+\)$", Field(package, "Depends"));
        }
    }

    [Fact]
    public void Lintian_finds_no_fault()
    {
        Tools.Require("lintian");
        ToolResult result = Tools.Run("lintian", "--fail-on", "error,warning", built.Package);
        Assert.Equal((0, ""), (result.ExitCode, result.Output));
    }

    [Fact]
    public void The_same_program_makes_the_same_package() =>
        Tools.Run("cmp", built.Package, built.Build("second", "TZ=Asia/Tokyo", "LC_ALL=C.UTF-8", "TMPDIR=/var/tmp")).Succeeded();

    /// <summary>Versions in the order in which dpkg must have them, with the seconds of the commit.</summary>
    [Fact]
    public void Versions_of_git_describe_come_in_their_order()
    {
        Tools.Require("dpkg");
        (string Said, int Seconds, string Version)[] rows =
        [
            ("0.1.0+g9876543", 86400, "0.1.0~git19700102000000.g9876543"),
            ("0.1.0+g0123456", 86401, "0.1.0~git19700102000001.g0123456"),
            ("0.1.0+g0123456-dirty", 86401, "0.1.0~git19700102000001.g0123456.dirty"),
            ("0.1.0-rc1", 0, "0.1.0~rc1"),
            ("0.1.0-rc1-2-gabcdef0", 0, "0.1.0~rc1+2.gabcdef0"),
            ("0.1.0", 0, "0.1.0"),
            ("0.1.0-9-gabcdef0", 0, "0.1.0+9.gabcdef0"),
            ("0.1.0-10-g0123456", 0, "0.1.0+10.g0123456"),
            ("0.2", 0, "0.2"),
        ];
        string script = Path.Combine(Repository.Root, "packaging", "version");
        string[] versions =
            [.. rows.Select(row => Tools.Run("env", $"SOURCE_DATE_EPOCH={row.Seconds}", script, row.Said).Succeeded().Trim())];
        Assert.Equal(rows.Select(row => row.Version), versions);
        foreach ((string before, string after) in versions.Zip(versions.Skip(1)))
        {
            Tools.Run("dpkg", "--compare-versions", before, "lt", after).Succeeded();
        }
    }

    private static string Field(string package, string name) => Tools.Run("dpkg-deb", "-f", package, name).Succeeded().Trim();

    /// <summary>The files below a directory, as they will be called in a root.</summary>
    private IEnumerable<string> Files(string folder) =>
        Directory.GetFiles(built.At(folder), "*", SearchOption.AllDirectories).Select(path => path[built.At(folder).Length..]);
}
