using System.Diagnostics;
using System.Globalization;
using HackTree.Linux;
using HackTree.Store;
using HackTree.Tests.Crash;
using HackTree.Tests.Support;

namespace HackTree.Tests.Checkout;

/// <summary>A root that something uses is not removed, replaced or turned into another one; the refusal says what uses it.</summary>
public sealed class RootUseTests : IDisposable
{
    private readonly PhysicalRoot root = new();

    public RootUseTests()
    {
        Assert.SkipUnless(Sys.IsRoot, "only root can mount");
        SourceTree.Make(root.At("source"), 1);
        Directory.CreateDirectory(root.At("source/usr"));
        File.WriteAllText(root.At("source/usr/file"), "a file of some length");
        root.Ok("commit", "-b", "a", root.At("source"));
        root.Ok("checkout", "a", Used);
        root.Ok("checkout", "a", root.At("r1"));
        Directory.CreateDirectory(Point);
        Directory.CreateDirectory(root.At("work"));
    }

    private string Used => root.At("r0");

    private string Point => root.At("point");

    public void Dispose() => root.Dispose();

    [Theory]
    [InlineData("mount --bind {r}/usr {p}", "it is mounted at {p} too")]
    [InlineData("mount --bind {r} {p}", "it is mounted at {p} too")]
    [InlineData("mount -t overlay overlay -o lowerdir={h}/r1:{r} {p}", "the overlay at {p} is made of {r};")]
    [InlineData("mount -t overlay overlay -o lowerdir={r}/usr:{h}/r1 {p}", "the overlay at {p} is made of {r}/usr;")]
    [InlineData("mount -t overlay overlay -o lowerdir={h}/r1:{r}/d0/../usr {p}", "the overlay at {p} is made of {r}/d0/../usr;")]
    [InlineData("ln -s {r}/usr {h}/link && mount -t overlay overlay -o lowerdir={h}/link:{h}/r1 {p}", "the overlay at {p} is made of {h}/link;")]
    [InlineData("mkdir '{r}/a:b' && mount -t overlay overlay -o 'lowerdir={r}/a\\:b:{h}/r1' {p}", "the overlay at {p} is made of {r}/a:b;")]
    [InlineData("cd {h} && mount -i -t overlay overlay -o lowerdir=r0/usr:r1/usr {p}", "the overlay at {p} is made of ")]
    [InlineData("mkdir {r}/up {r}/wk && mount -t overlay overlay -o lowerdir={h}/r1,upperdir={r}/up,workdir={r}/wk {p}", "the overlay at {p} is made of {r}/up;")]
    [InlineData("truncate -s 1M {r}/disk && mount -t tmpfs none {p} && losetup -f {r}/disk && losetup -n -O NAME -j {r}/disk > {p}/loop", "{r}/disk is in use by /dev/loop")]
    public void Mounts_of_it(string mount, string says)
    {
        ToolResult made = Tools.Run("sh", "-c", Here(mount));
        try
        {
            made.Succeeded();
            AssertRefused(Here(says));
        }
        finally
        {
            _ = Tools.Run("sh", "-c", Here("[ ! -f {p}/loop ] || losetup -d $(cat {p}/loop); umount {p}"));
        }

        AssertTaken();
    }

    [Theory]
    [InlineData("import os; os.chdir('{r}/usr')", "works in {r}/usr;")]
    [InlineData("import os; os.chdir('{r}')", "works in it;")]
    [InlineData("f = open('{r}/usr/file')", "has {r}/usr/file open;")]
    [InlineData("import mmap; f = open('{r}/usr/file'); m = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ); f.close()", "has {r}/usr/file open;")]
    [InlineData("import os; f = os.open('{r}/usr', os.O_PATH)", "has {r}/usr open;")]
    public void Processes_in_it(string code, string says)
    {
        Tools.Require("python3");
        using Process process = Start(["python3", "-c", $"{Here(code)}; import time; print('in', flush=True); time.sleep(600)"]);
        try
        {
            Assert.Equal("in", process.StandardOutput.ReadLine());
            AssertRefused(string.Create(CultureInfo.InvariantCulture, $"process {process.Id} (python3) {Here(says)}"));
        }
        finally
        {
            process.Kill();
            process.WaitForExit();
        }

        AssertTaken();
    }

    /// <summary>The namespace has the filesystem at another place, so no path there is one of this namespace.</summary>
    [Theory]
    [InlineData("mount --bind {h}/r0/usr {p}", "in the mount namespace of process")]
    [InlineData("mount --bind {h} {p}; umount -l {h} 2> /dev/null; cd {p}/r0/usr", "works in")]
    [InlineData("mount --bind {h} {p}; exec 7< {p}/r0/usr/file", "has {p}/r0/usr/file open")]
    [InlineData("mount -t overlay overlay -o lowerdir={r}/usr:{h}/r1 {p}", "the overlay at {p} in the mount namespace of process")]
    public void In_another_mount_namespace(string work, string says)
    {
        using Process process = Start(["unshare", "-m", "sh", "-c", $"{Here(work)}; echo in; while :; do read line; done"]);
        try
        {
            Assert.Equal("in", process.StandardOutput.ReadLine());
            AssertRefused(Here(says));
        }
        finally
        {
            process.Kill();
            process.WaitForExit();
        }

        AssertTaken();
    }

    /// <summary>The files of r0 and r1 are the same inodes.</summary>
    [Fact]
    public void What_is_open_in_another_root_does_not_matter()
    {
        using FileStream open = File.OpenRead(root.At("r1/usr/file"));
        AssertTaken();
    }

    [Theory]
    [InlineData(@"lowerdir=/a:/b\134:c:/d\040e,upperdir=/u,workdir=/w", "/a|/b:c|/b\\|c|/d e|/u|/w")]
    [InlineData(@"rw,lowerdir+=/a:b,lowerdir+=/c,datadir+=/d", "/a:b|/c|/d")]
    [InlineData(@"lowerdir=/a\072b:c::/data,index=off", "/a:b|c|/data")]
    [InlineData(@"lowerdir=/a\134\134b", "/a\\b|/a\\\\b")]
    [InlineData("lowerdir=/proc/self/fd/19:/a,upperdir=/proc/self/fd/20", "/a")]
    public void Layers_are_read_from_the_options_of_an_overlay(string options, string layers)
    {
        var mount = new Mount(1, "0:1", "/", "/p", "overlay", options, IsReadOnly: false);
        Assert.Equal(layers.Split('|').Order(StringComparer.Ordinal), OverlayLayers.Of(mount).Order(StringComparer.Ordinal));
    }

    private void AssertRefused(string says)
    {
        Assert.Contains(says, root.Refused("roots", "rm", "r0"), StringComparison.Ordinal);
        Assert.Contains(says, root.Refused("checkout", "--force", "a", Used), StringComparison.Ordinal);
        Assert.Contains(says, root.Refused("checkout", "--from", Used, "a", root.At("r2")), StringComparison.Ordinal);
        Assert.Contains("anew", root.Run("checkout", "--reuse", "a", root.At("r2")).Error, StringComparison.Ordinal);
        Assert.Equal("a file of some length", File.ReadAllText($"{Used}/usr/file"));
        root.Ok("roots", "rm", "r2");
    }

    private void AssertTaken()
    {
        root.Ok("checkout", "--reuse", "a", root.At("r2"));
        Assert.False(Directory.Exists(Used));
    }

    private string Here(string text) => text.Replace("{r}", Used, StringComparison.Ordinal)
        .Replace("{p}", Point, StringComparison.Ordinal).Replace("{h}", root.Path, StringComparison.Ordinal);

    private static Process Start(string[] command) =>
        Process.Start(new ProcessStartInfo(command[0], command[1..]) { RedirectStandardOutput = true, RedirectStandardInput = true })!;
}
