using System.Text;
using HackTree.Checkout;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using HackTree.Tests.Support;

namespace HackTree.Tests.Checkout;

/// <summary>Mounted commits: what they show, who keeps them, and what is refused.</summary>
[Collection(LoopTests.Name)]
public sealed class ImageMountTests(LoopFilesystems filesystems)
{
    [Theory]
    [InlineData("ext4")]
    [InlineData("xfs")]
    [InlineData("btrfs")]
    public void A_mount_shows_the_awkward_tree(string kind)
    {
        using var place = new MountPlace(filesystems[kind]);
        AwkwardTree.Make(place.At("source"));

        // composefs has it as an empty file, which only overlays over the mount take for a device 0:0.
        File.Delete(place.At("source/special/whiteout"));
        if (kind == "xfs")
        {
            Digest tooLong = place.Commit("source");
            Assert.Contains("'attributes/longest': its attribute user.longest has 65536 bytes", Assert.Throws<StoreException>(() => place.Mount(tooLong)).Message);
            Tools.Run("setfattr", "-x", "user.longest", place.At("source/attributes/longest")).Succeeded();
        }

        Digest commit = place.Commit("source");
        MountedImage mounted = place.Mount(commit);
        Assert.False(mounted.IsLoop);
        Comparison.Same(place.At("source"), mounted.Path, "--no-sockets");
        Assert.Equal([(mounted.Path, commit, true)], ImageMount.Find().Where(mount => mount.Path == mounted.Path));
        Assert.Contains("Read-only file system", Tools.Run("touch", place.At("mnt/new")).Error, StringComparison.Ordinal);
        ImageMount.End(mounted.Path);
        Assert.Empty(Directory.EnumerateFileSystemEntries(mounted.Path));
        place.RequireSound();
    }

    [Fact]
    public void A_device_that_means_a_deletion_means_one_to_an_overlay_over_the_mount()
    {
        using var place = new MountPlace(filesystems["ext4"]);
        Directory.CreateDirectory(place.At("source/dir"));
        Tools.Run("mknod", place.At("source/dir/gone"), "c", "0", "0").Succeeded();

        // composefs puts such devices into the top itself, and those do not show.
        Tools.Run("mknod", place.At("source/0a"), "c", "0", "0").Succeeded();
        Tools.Run("mknod", place.At("source/0B"), "c", "0", "0").Succeeded();
        Directory.CreateDirectory(place.At("below/dir"));
        File.WriteAllText(place.At("below/dir/gone"), "");
        File.WriteAllText(place.At("below/dir/stays"), "");
        Directory.CreateDirectory(place.At("over"));
        MountedImage mounted = place.Mount(place.Commit("source"));
        Assert.Equal(["gone"], Names(place.At("mnt/dir")));
        Assert.Equal(["0B", "0a", "dir"], Names(place.At("mnt")));
        Tools.Run("mount", "-t", "overlay", "-o", $"lowerdir={mounted.Path}:{place.At("below")}", "overlay", place.At("over")).Succeeded();
        string[] seen = Names(place.At("over/dir"));
        Tools.Unmount(place.At("over"));
        Assert.Equal(["stays"], seen);
    }

    [Fact]
    public void Gc_keeps_the_commit_and_the_image_while_they_are_mounted()
    {
        using var place = new MountPlace(filesystems["ext4"]);
        Directory.CreateDirectory(place.At("source"));
        File.WriteAllText(place.At("source/file"), new string('x', 1000));
        Digest commit = place.Commit("source");
        MountedImage mounted = place.Mount(commit);
        using (var turn = RefTurn.Take(place.Store))
        {
            turn.Delete("test");
        }

        Assert.Equal(0, Collect.Run(place.Store, new CollectOptions()).CommitsDropped);
        Assert.True(File.Exists(Path.Combine(place.Store.Path, mounted.Image.Path)));
        Assert.Equal(new string('x', 1000), File.ReadAllText(place.At("mnt/file")));
        Assert.Equal([HolderKind.Image], Explanation.Find(place.Store, new HeldThing.OfCommit(commit), new CollectOptions()).Select(held => held.Holder.Kind));

        ImageMount.End(mounted.Path);
        CollectResult result = Collect.Run(place.Store, new CollectOptions());
        Assert.Equal((1, 1), (result.CommitsDropped, result.ObjectsRemoved));
        Assert.Empty(Names(Path.Combine(place.Store.Path, "images")));
        place.RequireSound();
    }

    [Fact]
    public void Fsck_finds_a_flipped_bit_in_an_image_and_repair_removes_the_image()
    {
        using var place = new MountPlace(filesystems["ext4"]);
        Directory.CreateDirectory(place.At("source"));
        Digest commit = place.Commit("source");
        StoredImage image = place.Mount(commit).Image;
        ImageMount.End(place.At("mnt"));
        string path = Path.Combine(place.Store.Path, image.Path);
        byte[] bytes = File.ReadAllBytes(path);
        bytes[^1] ^= 4;
        File.WriteAllBytes(path, bytes);

        var found = new List<Finding>();
        CheckResult check = Check.Run(place.Store, found.Add, progress: null);
        Assert.Equal([image], found.Select(finding => Assert.IsType<Finding.DamagedImage>(finding).Image));
        Assert.Throws<CorruptException>(() => place.Mount(commit, new ImageMountOptions { Verity = true }));

        // While it is mounted, the image is what tells gc so.
        place.Mount(commit);
        var early = Repair.Plan(place.Store, check, found, [], quarantine: false);
        early.Apply();
        Assert.Equal(RepairState.Failed, Assert.Single(early.Items).State);
        Assert.Contains("is mounted; end the mount", early.Items[0].Failure!.Message);
        Assert.True(File.Exists(path));
        ImageMount.End(place.At("mnt"));

        var repair = Repair.Plan(place.Store, check, found, [], quarantine: false);
        repair.Apply();
        Assert.Equal(RepairState.Made, Assert.Single(repair.Items).State);
        Assert.False(File.Exists(path));
        Assert.Equal(image, place.Mount(commit).Image);
        place.RequireSound();
    }

    [Fact]
    public void A_mount_does_not_hide_the_store()
    {
        using var place = new MountPlace(filesystems["ext4"]);
        Directory.CreateDirectory(place.At("source"));
        Digest commit = place.Commit("source");
        foreach (string above in (string[])[Path.GetDirectoryName(place.Store.Path)!, "/"])
        {
            var error = Assert.Throws<StoreException>(() => ImageMount.Make(place.Store, commit, above, new ImageMountOptions()));
            Assert.Contains("a mount would hide it", error.Message);
        }
    }

    [Fact]
    public void Of_two_mounts_at_once_one_gets_the_place_of_changes()
    {
        using var place = new MountPlace(filesystems["ext4"]);
        Directory.CreateDirectory(place.At("source"));
        Directory.CreateDirectory(place.At("mnt2"));
        Digest commit = place.Commit("source");
        for (int round = 0; round < 8; round++)
        {
            var options = new ImageMountOptions { Changes = place.At($"changes{round}") };
            string[] points = [place.At("mnt"), place.At("mnt2")];
            string[] mounted = [.. points.AsParallel().WithDegreeOfParallelism(2).Where(point => TryMount(point, options))];
            ImageMount.End(Assert.Single(mounted));
        }

        bool TryMount(string point, ImageMountOptions options)
        {
            try
            {
                ImageMount.Make(place.Store, commit, point, options);
                return true;
            }
            catch (StoreException e) when (e.Message.Contains("has it", StringComparison.Ordinal))
            {
                return false;
            }
        }
    }

    [Fact]
    public void What_is_written_goes_to_the_place_of_changes_and_stays_there()
    {
        using var place = new MountPlace(filesystems["ext4"]);
        Directory.CreateDirectory(place.At("source/dir"));
        File.WriteAllText(place.At("source/dir/file"), new string('x', 1000));
        Tools.Run("chown", "7:8", place.At("source")).Succeeded();
        Tools.Run("chmod", "1751", place.At("source")).Succeeded();

        // What a new directory inherits here, and what an overlay left on the top, are no part of the commit's top.
        Tools.Run("setfacl", "-d", "-m", "u:55:rwx", place.At("")).Succeeded();
        Tools.Run("setfattr", "-n", "trusted.overlay.opaque", "-v", "y", place.At("source")).Succeeded();
        Digest commit = place.Commit("source"), other = place.Commit("source/dir");
        var options = new ImageMountOptions { Changes = place.At("changes") };
        for (int i = 1; i <= 2; i++)
        {
            place.Mount(commit, options);
            Assert.Equal("7:8 1751", Tools.Run("stat", "-c", "%u:%g %a", place.At("mnt")).Succeeded().Trim());
            Assert.DoesNotContain("user:55", Tools.Run("getfacl", "-n", place.At("mnt")).Succeeded(), StringComparison.Ordinal);
            Assert.Contains("has it", Assert.Throws<StoreException>(() => place.Mount(commit, options)).Message);
            File.AppendAllText(place.At("mnt/dir/file"), "more");
            Assert.Equal(1000 + (4 * i), new FileInfo(place.At("mnt/dir/file")).Length);
            ImageMount.End(place.At("mnt"));
        }

        Assert.Equal(1008, new FileInfo(place.At("changes/upper/dir/file")).Length);
        Assert.Contains($"has changes over commit {commit}", Assert.Throws<StoreException>(() => place.Mount(other, options)).Message);
        place.RequireSound();
    }

    [Fact]
    public void A_place_that_cannot_be_is_refused_and_nothing_stays_mounted()
    {
        using var place = new MountPlace(filesystems["ext4"]);
        Directory.CreateDirectory(place.At("source/dir"));
        Directory.CreateDirectory(place.At("full/upper"));
        Digest commit = place.Commit("source");
        Assert.Contains("outside of the mount", Refusal(place.At("mnt/changes")), StringComparison.Ordinal);
        Assert.Contains("outside of the mount", Refusal(Path.Combine(place.Store.Path, "changes")), StringComparison.Ordinal);
        Assert.False(Directory.Exists(Path.Combine(place.Store.Path, "changes")));
        Assert.Contains("something else in it", Refusal(place.At("full")), StringComparison.Ordinal);
        var error = Assert.Throws<StoreException>(() => ImageMount.Make(place.Store, commit, place.Store.Path, new ImageMountOptions()));
        Assert.Contains("this is the store", error.Message);
        Assert.Contains("no commit is mounted", Assert.Throws<StoreException>(() => ImageMount.End(place.At("mnt"))).Message);
        Assert.DoesNotContain(place.At("mnt"), File.ReadAllText("/proc/self/mountinfo"), StringComparison.Ordinal);

        string Refusal(string changes) => Assert.Throws<StoreException>(() => place.Mount(commit, new ImageMountOptions { Changes = changes })).Message;
    }

    [Fact]
    public void With_verity_what_the_kernel_cannot_compare_cannot_be_read()
    {
        using var place = new MountPlace(filesystems["ext4"]);
        Directory.CreateDirectory(place.At("source"));
        File.WriteAllText(place.At("source/file"), new string('x', 1000));
        File.WriteAllText(place.At("source/short"), "in the image");
        place.Mount(place.Commit("source"), new ImageMountOptions { Verity = true });
        Assert.Equal("in the image", File.ReadAllText(place.At("mnt/short")));
        Assert.Throws<IOException>(() => File.ReadAllText(place.At("mnt/file")));
    }

    [Fact]
    public void An_image_in_a_users_store_belongs_to_the_user()
    {
        using var place = new MountPlace(filesystems["ext4"]);
        Directory.CreateDirectory(place.At("source/dir"));
        Digest commit = place.Commit("source");
        Tools.Run("chown", "-R", "1000:1001", place.Store.Path).Succeeded();
        StoredImage image = place.Mount(commit).Image;
        string path = Path.Combine(place.Store.Path, image.Path);
        Assert.Equal("1000:1001\n1000:1001\n", Tools.Run("stat", "-c", "%u:%g", path, Path.GetDirectoryName(path)!).Succeeded());
    }

    [Fact]
    public void Umount_ends_no_other_mount_that_lies_over_it()
    {
        using var place = new MountPlace(filesystems["ext4"]);
        Directory.CreateDirectory(place.At("source/dir"));
        place.Mount(place.Commit("source"));
        Tools.Run("mount", "-t", "tmpfs", "tmpfs", place.At("mnt")).Succeeded();
        Assert.Contains("no commit is mounted", Assert.Throws<StoreException>(() => ImageMount.End(place.At("mnt"))).Message);
        Tools.Unmount(place.At("mnt"));
        using (var opened = OpenPath.Directory(place.At("mnt/dir")))
        {
            Assert.Contains("it is in use", Assert.Throws<StoreException>(() => ImageMount.End(place.At("mnt"))).Message);
        }

        ImageMount.End(place.At("mnt"));
        Assert.Empty(Names(place.At("mnt")));
    }

    /// <summary>What an older kernel takes: an image on a loop device.</summary>
    [Fact]
    public void A_loop_device_of_an_image_goes_with_its_mount()
    {
        using var place = new MountPlace(filesystems["ext4"]);
        Directory.CreateDirectory(place.At("source/dir"));
        StoredImage image = place.Mount(place.Commit("source")).Image;
        ImageMount.End(place.At("mnt"));
        using (FileStream file = File.OpenRead(Path.Combine(place.Store.Path, image.Path)))
        {
            Sys.MakeLoop(file.SafeFileHandle, out Microsoft.Win32.SafeHandles.SafeFileHandle device, out byte[] path).ThrowIfFailed("LOOP_CONFIGURE", "");
            using (device)
            {
                Tools.Run("mount", "-t", "erofs", Encoding.ASCII.GetString(path), place.At("mnt")).Succeeded();
            }

            Assert.Contains("dir", Names(place.At("mnt")));
            Tools.Unmount(place.At("mnt"));
            Assert.NotEqual(0, Tools.Run("mount", "-t", "erofs", Encoding.ASCII.GetString(path), place.At("mnt")).ExitCode);
        }
    }

    private static string[] Names(string directory) => [.. Directory.EnumerateFileSystemEntries(directory).Select(path => Path.GetFileName(path)!).Order(StringComparer.Ordinal)];
}
