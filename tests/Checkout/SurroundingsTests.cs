using HackTree.Checkout;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using HackTree.Tests.Support;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Tests.Checkout;

/// <summary>A tree's surroundings, and the places that its links point to, neither change nor are changed.</summary>
public sealed class SurroundingsTests
{
    // In this directory everything that is inherited is visible: everything belongs to user 1.
    private static readonly byte[] Handed = AwkwardTree.AccessList(
        (1, 7, uint.MaxValue), (2, 7, 1), (4, 7, uint.MaxValue), (0x10, 7, uint.MaxValue), (0x20, 7, uint.MaxValue));

    [Theory]
    [InlineData(CheckoutMethod.Hardlink)]
    [InlineData(CheckoutMethod.Copy)]
    public void A_place_hands_nothing_down_to_a_root(CheckoutMethod method)
    {
        using var place = new StorePlace();
        AwkwardTree.Make(place.At("source"), beyondTar: false);
        Digest commit = place.Commit("source");
        RequireHandingDown(place);
        RootBuilder.Run(place.Store, commit, "test", place.At("parent/r0"), new CheckoutOptions { Method = method });
        Comparison.Same(place.At("source"), place.At("parent/r0"));
        foreach (string part in new[] { "contents/4097", "special/fifo", "links/dangling", "modes" })
        {
            string name = Path.GetFileName(part);
            RootBuilder.Run(place.Store, commit, "test", place.At($"parent/{name}"), new CheckoutOptions { Method = method, Subpath = part });
        }

        // In a directory, so that compare.py sees them.
        Directory.CreateDirectory(place.At("expected"));
        Tools.Run("cp", "-a", place.At("source/contents/4097"), place.At("source/special/fifo"), place.At("source/links/dangling"), place.At("source/modes"), place.At("expected")).Succeeded();
        Assert.Equal(Entries("expected"), Entries("parent"));

        string[] Entries(string name) => [.. Comparison.Lines(place.At(name)).Where(line => !line.StartsWith(". ") && !line.StartsWith("r0"))];
    }

    [Fact]
    public void A_store_is_made_without_what_its_place_hands_down()
    {
        using var place = new StorePlace();
        RequireHandingDown(place);
        string store = place.At("parent/objects");
        ObjectStore.Create(store, new StoreFormat { UserMode = !Sys.IsRoot });
        Assert.DoesNotContain(Comparison.Lines(store), line => line.Contains("posix_acl") || line.Contains("mode=2"));
    }

    [Fact]
    public void Links_are_kept_and_never_followed()
    {
        using var place = new StorePlace();
        Directory.CreateDirectory(place.At("outside"));
        File.WriteAllText(place.At("outside/secret"), "not for the store");
        Directory.CreateDirectory(place.At("source"));
        File.CreateSymbolicLink(place.At("source/file"), "../outside/secret");
        File.CreateSymbolicLink(place.At("source/directory"), "../outside");
        File.CreateSymbolicLink(place.At("source/root"), "/");
        Digest commit = place.Commit("source", out ImportResult imported);
        Assert.Equal(3, imported.Files);
        Assert.Equal(0, imported.ContentBytes);
        place.Checkout(commit, "r0");
        place.RequireSame(imported, "r0");
        Assert.Empty(Directory.EnumerateFiles(place.At("objects/files"), "*", SearchOption.AllDirectories));
    }

    [Fact]
    public void A_directory_that_becomes_a_link_during_the_walk_is_not_followed()
    {
        using var place = new StorePlace();
        Directory.CreateDirectory(place.At("outside"));
        File.WriteAllText(place.At("outside/secret"), "not for the store");
        Directory.CreateDirectory(place.At("source/swapped"));
        File.CreateSymbolicLink(place.At("link"), place.At("outside"));
        using var stop = new CancellationTokenSource();
        var swapper = new Thread(() =>
        {
            byte[] a = ByteText.FromArgument(place.At("source/swapped")), b = ByteText.FromArgument(place.At("link"));
            while (!stop.IsCancellationRequested)
            {
                Assert.Equal(Errno.None, Sys.Exchange(Sys.WorkingDirectory, a, Sys.WorkingDirectory, b));
            }
        });
        swapper.Start();
        int committed = 0, refused = 0;
        while (committed + refused < 300)
        {
            try
            {
                Assert.InRange(place.Import("source").Files, 0, 1);
                committed++;
            }
            catch (Exception e) when (e is StoreException or LinuxException)
            {
                refused++;
            }
        }

        stop.Cancel();
        swapper.Join();
        Assert.Empty(Directory.EnumerateFiles(place.At("objects/files"), "*", SearchOption.AllDirectories));
    }

    [Fact]
    public void What_is_mounted_in_a_tree_stays_out()
    {
        Assert.SkipUnless(Sys.IsRoot, "only root can mount a filesystem");
        using var place = new StorePlace();
        string mounted = Directory.CreateDirectory(place.At("source/below/mounted")).FullName;
        ToolResult mount = Tools.Run("mount", "-t", "tmpfs", "-o", "mode=0711", "tmpfs", mounted);
        Assert.SkipWhen(mount.ExitCode != 0, $"nothing can be mounted here: {mount.Error.Trim()}");
        try
        {
            File.WriteAllText(Path.Combine(mounted, "file"), "on another filesystem");
            Digest commit = place.Commit("source", out ImportResult imported);
            Assert.Equal(["1 mount point was committed as an empty directory (below/mounted)"], imported.Notes);
            Assert.Equal(0, imported.Files);
            place.Checkout(commit, "r0");
            Assert.Empty(Directory.EnumerateFileSystemEntries(place.At("r0/below/mounted")));
        }
        finally
        {
            Tools.Unmount(mounted);
        }
    }

    [Fact]
    public void What_is_mounted_on_a_file_stays_out()
    {
        Assert.SkipUnless(Sys.IsRoot, "only root can mount a file");
        using var place = new StorePlace();
        Directory.CreateDirectory(place.At("source/etc"));
        string[] covered = [place.At("source/etc/resolv.conf"), place.At("source/masked")];
        string host = place.At("host");
        File.WriteAllText(host, "nameserver of the host");
        Assert.Equal(Errno.None, Sys.SetMode(Sys.WorkingDirectory, ByteText.FromArgument(host), 0x9A4));
        foreach (string file in covered)
        {
            File.WriteAllText(file, "covered");
        }

        ToolResult mount = Tools.Run("mount", "--bind", host, covered[0]);
        Assert.SkipWhen(mount.ExitCode != 0, $"nothing can be mounted here: {mount.Error.Trim()}");
        try
        {
            Tools.Run("mount", "--bind", "/dev/null", covered[1]).Succeeded();
            Digest commit = place.Commit("source", out ImportResult imported);
            Assert.Equal(["2 files that something is mounted on were committed as empty files (etc/resolv.conf, masked)"], imported.Notes);
            Assert.Equal((2, 0), (imported.Files, imported.ContentBytes));
            place.RequireSame(imported, "source");
            place.Checkout(commit, "r0");
            Assert.All(["etc/resolv.conf", "masked"], name => Assert.Equal("", File.ReadAllText(place.At($"r0/{name}"))));

            // Neither is set-uid, as the host's file, nor writable for everybody, as the device.
            Assert.All(["etc/resolv.conf", "masked"], name => Assert.Equal("644", Tools.Run("stat", "-c", "%a", place.At($"r0/{name}")).Succeeded().Trim()));
        }
        finally
        {
            Array.ForEach(covered, file => Tools.Run("umount", file));
        }

        Assert.Equal("covered", File.ReadAllText(covered[0]));
    }

    [Theory]
    [InlineData("objects")]
    [InlineData("objects/files")]
    [InlineData("objects/files/ab")]
    [InlineData("objects/refs/deep/er")]
    [InlineData("link")]
    [InlineData("bound")]
    [InlineData("bound/deep")]
    public void A_store_is_not_committed_into_itself(string tree)
    {
        using var place = new StorePlace();
        Directory.CreateDirectory(place.At("objects/refs/deep/er"));
        Directory.CreateDirectory(place.At("bound"));
        File.CreateSymbolicLink(place.At("link"), place.At("objects/files"));
        bool isBound = tree.StartsWith("bound", StringComparison.Ordinal);
        if (isBound)
        {
            Assert.SkipUnless(Sys.IsRoot, "only root can mount a directory");
            ToolResult mount = Tools.Run("mount", "--bind", place.At("objects/refs"), place.At("bound"));
            Assert.SkipWhen(mount.ExitCode != 0, $"nothing can be mounted here: {mount.Error.Trim()}");
        }

        try
        {
            string[] before = Directory.GetFileSystemEntries(place.At("objects"), "*", SearchOption.AllDirectories);
            string refusal = $"{place.At(tree)}: it is the store {place.Store.Path} or lies in it, and a store is not committed into itself; name another directory";
            Assert.Equal(refusal, Assert.Throws<StoreException>(() => place.Commit(tree)).Message);
            Assert.Equal(refusal, Assert.Throws<StoreException>(() => place.Describe(tree)).Message);
            if (tree != "link" && Sys.IsRoot)
            {
                Assert.Equal(refusal, Assert.Throws<StoreException>(() => TreeConsume.Begin(place.Store, place.At(tree), _ => { })).Message);
            }

            Assert.Equal(before.Order(), Directory.GetFileSystemEntries(place.At("objects"), "*", SearchOption.AllDirectories).Order());
        }
        finally
        {
            if (isBound)
            {
                Tools.Unmount(place.At("bound"));
            }
        }
    }

    [Fact]
    public void The_store_is_no_part_of_a_tree_that_holds_it()
    {
        using var place = new StorePlace();
        Directory.CreateDirectory(place.At("etc"));
        File.WriteAllText(place.At("etc/file"), "");
        ImportResult imported = place.Import(".");
        Assert.Equal([$"the store itself ({place.Store.Path}) was left out"], imported.Notes);
        Assert.Equal(1, imported.Files);
        Assert.False(place.Store.Packs.ReadTree(imported.Tree).Find("objects"u8).Exists);
    }

    /// <summary>Makes a directory whose set-gid bit and default ACL are inherited by everything made in it.</summary>
    private static void RequireHandingDown(StorePlace place)
    {
        Directory.CreateDirectory(place.At("parent"));
        Assert.Equal(Errno.None, Sys.Open(Sys.WorkingDirectory, ByteText.FromArgument(place.At("parent")), OpenFlags.Directory, out SafeFileHandle parent));
        using (parent)
        {
            Errno errno = Sys.SetXattr(parent, "system.posix_acl_default"u8, Handed);
            Assert.SkipWhen(errno == Errno.EOPNOTSUPP, "this filesystem has no access lists");
            Assert.Equal(Errno.None, errno);
            if (Sys.IsRoot)
            {
                Assert.Equal(Errno.None, Sys.SetOwner(parent, 0, 4242));
            }

            Assert.Equal(Errno.None, Sys.SetMode(parent, Convert.ToUInt32("2777", 8)));
        }
    }
}
