using System.Diagnostics;
using System.Text;
using HackTree.Checkout;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using HackTree.Tests.Support;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Tests.Checkout;

public sealed class TreeConsumeTests : IDisposable
{
    private readonly TempDirectory directory = new();
    private readonly List<string> notes = [];
    private readonly ObjectStore store;

    public TreeConsumeTests()
    {
        ObjectStore.Create(directory.At("objects"), new StoreFormat { UserMode = !Sys.IsRoot });
        store = ObjectStore.Open(directory.At("objects"));
    }

    private string Tree => directory.At("tree");

    private string PrivatePlace => directory.At(".tree.consumed");

    /// <summary>Where the tree is now.</summary>
    private string Place => Directory.Exists(PrivatePlace) ? Path.Combine(PrivatePlace, "tree") : Tree;

    private string[] Objects => Directory.GetFiles(directory.At("objects/files"), "*", SearchOption.AllDirectories);

    private string[] Marks => Directory.GetFiles(directory.At("objects/tmp"), "adopting-*");

    public void Dispose()
    {
        store.Dispose();
        directory.Dispose();
    }

    [Fact]
    public void What_was_committed_goes_and_a_file_rewritten_since_stays()
    {
        MakeTree(("below/rewritten", "old!"), ("settled", "text"));
        using TreeConsume consume = Begin();
        ImportResult imported = Import(consume);

        // The same size, and as a rule the same second: only the fraction of the time tells. It is another inode, as
        // editors make them, for the first one has become the object.
        File.Delete(Path.Combine(Place, "below/rewritten"));
        File.WriteAllText(Path.Combine(Place, "below/rewritten"), "new!");
        ConsumeResult result = consume.Finish(imported);
        Assert.Equal((1, 0, true), (result.Changed, result.LeftOut, result.IsDone));
        Assert.Equal(Path.Combine(Tree, "below/rewritten"), result.FirstChanged);
        AssertTree(("below/rewritten", "new!"));
        Assert.Empty(Marks);
    }

    [Fact]
    public void What_was_excluded_goes_back_to_its_place()
    {
        MakeTree(("etc/kept", "1"), ("etc/log", "2"), ("var/log", "3"), ("var/lib/kept", "4"));
        using TreeConsume consume = Begin();
        ImportResult imported = Import(consume, "log");
        ConsumeResult result = consume.Finish(imported);
        Assert.Equal((2, 0, true), (result.LeftOut, result.Changed, result.IsDone));
        AssertTree(("etc/log", "2"), ("var/log", "3"));
        Assert.Empty(notes);
        Assert.Empty(Marks);
    }

    [Fact]
    public void A_tree_that_is_not_finished_is_put_back_as_it_was()
    {
        MakeTree(("below/one", "1"), ("two", "2"));
        using (TreeConsume consume = Begin())
        {
            Assert.Equal(!Sys.IsRoot, Directory.Exists(Tree));
            Import(consume);
        }

        AssertTree(("below/one", "1"), ("two", "2"));
        Assert.Empty(notes);
    }

    [Fact]
    public void While_a_tree_is_consumed_nobody_else_enters_it_or_consumes_it()
    {
        RequireAdoption();
        MakeTree(("file", "text"));
        using TreeConsume consume = Begin();
        Assert.Equal(FileModes.OwnerOnly, StatusOf(PrivatePlace).Mode);
        Assert.Contains("another process is consuming it", Assert.Throws<StoreException>(Begin).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_file_that_is_an_object_and_was_written_to_is_told_and_no_object_goes(bool beforeTheRef)
    {
        RequireAdoption();
        MakeTree(("written", "old!"), ("settled", "text"));
        using (TreeConsume consume = Begin())
        {
            ImportResult imported = Import(consume);
            WriteInPlace(Path.Combine(Place, "written"), "new!");
            if (beforeTheRef)
            {
                StoreException told = Assert.Throws<StoreException>(() => consume.RequireUnchanged(imported));
                Assert.StartsWith($"{Tree}/written: somebody wrote to it", told.Message, StringComparison.Ordinal);
            }
            else
            {
                ConsumeResult result = consume.Finish(imported);
                Assert.Equal((1, 1, false, $"{Tree}/written"), (result.Damaged, result.Changed, result.IsDone, result.FirstDamaged));
            }
        }

        AssertTree(beforeTheRef ? [("written", "new!"), ("settled", "text")] : [("written", "new!")]);
        Assert.Equal(2, Objects.Length);
        Assert.Single(Marks);
    }

    [Fact]
    public void A_file_that_is_an_object_and_has_another_name_by_now_leaves_the_store_in_doubt()
    {
        RequireAdoption();
        MakeTree(("file", "text"));
        using (TreeConsume consume = Begin())
        {
            ImportResult imported = Import(consume);
            File.Move(Path.Combine(Place, "file"), directory.At("elsewhere"));
            Assert.True(consume.Finish(imported).IsDone);
        }

        Assert.Single(Marks);
    }

    [Theory]
    [InlineData("descriptor")]
    [InlineData("mapping")]
    public void A_file_that_somebody_can_write_to_is_copied_and_stays(string by)
    {
        RequireAdoption();
        MakeTree(("open", "old!"), ("closed", "text"));

        // A shared mapping keeps the file open for writing when its descriptor is closed.
        string close = by == "mapping" ? "os.close(fd)" : "pass";
        string script = $"import os, mmap; fd = os.open('{Tree}/open', os.O_RDWR); m = mmap.mmap(fd, 4); {close}; print('ready', flush=True); input(); m[0:4] = b'new!'; m.flush()";
        using Process writer = Process.Start(new ProcessStartInfo("python3", ["-c", script]) { RedirectStandardInput = true, RedirectStandardOutput = true })!;
        Assert.Equal("ready", writer.StandardOutput.ReadLine());
        using (TreeConsume consume = Begin())
        {
            ImportResult imported = Import(consume);
            Assert.Equal(1u, StatusOf(Path.Combine(Place, "open")).LinkCount);
            Assert.Equal(2u, StatusOf(Path.Combine(Place, "closed")).LinkCount);
            consume.RequireUnchanged(imported);
            ConsumeResult result = consume.Finish(imported);
            Assert.Equal((1, true, $"{Tree}/open"), (result.InUse, result.IsDone, result.FirstInUse));
        }

        writer.StandardInput.WriteLine();
        writer.WaitForExit();
        Assert.Equal(0, writer.ExitCode);
        AssertTree(("open", "new!"));
        Assert.Equal(["old!", "text"], Objects.Select(File.ReadAllText).Order(StringComparer.Ordinal));
        Assert.Empty(Marks);
    }

    [Fact]
    public void Who_is_in_the_tree_still_and_writes_is_found_before_the_ref_is_set()
    {
        RequireAdoption();
        MakeTree(("below/file", "old!"));
        using SafeFileHandle inside = Open(Path.Combine(Tree, "below"), OpenFlags.ReadOnly | OpenFlags.Directory);
        using (TreeConsume consume = Begin())
        {
            ImportResult imported = Import(consume);
            using (SafeFileHandle file = OpenIn(inside, "file"))
            {
                Sys.WriteAt(file, "new!"u8, 0).ThrowIfFailed("pwrite", "file");
            }

            Assert.Throws<StoreException>(() => consume.RequireUnchanged(imported));
        }

        AssertTree(("below/file", "new!"));
        Assert.Single(Marks);
    }

    [Fact]
    public void A_file_opened_from_inside_the_tree_after_the_last_look_stays_and_is_no_object_any_more()
    {
        RequireAdoption();
        MakeTree(("below/file", "old!"), ("settled", "text"));
        using SafeFileHandle inside = Open(Path.Combine(Tree, "below"), OpenFlags.ReadOnly | OpenFlags.Directory);
        using TreeConsume consume = Begin();
        ImportResult imported = Import(consume);
        consume.RequireUnchanged(imported);
        using SafeFileHandle file = OpenIn(inside, "file");
        ConsumeResult result = consume.Finish(imported);
        Assert.Equal((1, 0, true), (result.InUse, result.Damaged, result.IsDone));
        Sys.WriteAt(file, "new!"u8, 0).ThrowIfFailed("pwrite", "file");
        AssertTree(("below/file", "new!"));
        Assert.Equal(["old!", "text"], Objects.Select(File.ReadAllText).Order(StringComparer.Ordinal));
        Assert.Empty(Marks);
    }

    [Fact]
    public void A_file_touched_since_it_was_looked_at_is_copied()
    {
        RequireAdoption();
        MakeTree(("file", "text"));
        string path = Path.Combine(Tree, "file");
        using SafeFileHandle tree = Open(Tree, OpenFlags.ReadOnly | OpenFlags.Directory);
        using Adoption adoption = store.TryAdopt(tree)!;
        using SafeFileHandle file = Open(path, OpenFlags.ReadOnly);
        Sys.Stat(file, out FileStatus status).ThrowIfFailed("statx", path);
        Thread.Sleep(20);
        Sys.SetMode(file, status.Mode).ThrowIfFailed("fchmod", path);
        var metadata = new FileMetadata(status.Mode, status.Uid, status.Gid, status.ModifyTime.Seconds);
        Digest digest = adoption.AddFile(file, status, metadata, [], new byte[Blobs.BufferSize], path);
        Assert.Equal(ObjectState.There, store.Blobs.Find(store.Blobs.NameOf(digest, metadata, []), 4, []));
        Assert.Equal(1u, StatusOf(path).LinkCount);
    }

    [Fact]
    public void A_tree_below_another_mount_of_the_filesystem_is_copied_from_there()
    {
        RequireAdoption();
        MakeTree(("file", "text"));
        Directory.CreateDirectory(directory.At("second"));
        Tools.Run("mount", "--bind", directory.Path, directory.At("second")).Succeeded();
        try
        {
            using TreeConsume consume = TreeConsume.Begin(store, directory.At("second/tree"), notes.Add);
            ImportResult imported = Import(consume);
            Assert.True(consume.Finish(imported).IsDone);
        }
        finally
        {
            Tools.Run("umount", directory.At("second")).Succeeded();
        }

        Assert.False(Directory.Exists(Tree));
        Assert.Equal(1, store.Blobs.Added);
        Assert.Empty(Marks);
    }

    [Fact]
    public void A_tree_that_something_is_mounted_on_is_refused_and_stays()
    {
        RequireAdoption();
        MakeTree(("file", "text"));
        Tools.Run("mount", "--bind", Tree, Tree).Succeeded();
        try
        {
            Assert.Contains("is mounted there", Assert.Throws<StoreException>(Begin).Message, StringComparison.Ordinal);
        }
        finally
        {
            Tools.Unmount(Tree);
        }

        AssertTree(("file", "text"));
    }

    [Fact]
    public void A_tree_on_another_filesystem_is_copied_and_removed_where_it_is()
    {
        string tree = $"/dev/shm/hacktree-{Guid.NewGuid():N}";
        Directory.CreateDirectory(tree);
        try
        {
            File.WriteAllText($"{tree}/file", "text");
            File.WriteAllText($"{tree}/left", "out");
            Thread.Sleep(20);
            using TreeConsume consume = TreeConsume.Begin(store, tree, notes.Add);
            Assert.True(File.Exists($"{tree}/file"));
            ImportResult imported = Import(consume, "left");
            Assert.Equal(1, consume.Finish(imported).LeftOut);
            Assert.Equal([$"{tree}/left"], Directory.GetFileSystemEntries(tree));
        }
        finally
        {
            Directory.Delete(tree, recursive: true);
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Where_the_place_of_the_tree_was_taken_meanwhile_it_is_said_where_the_rest_is(bool finishes)
    {
        RequireAdoption();
        MakeTree(("file", "text"), ("left", "out"));
        using (TreeConsume consume = Begin())
        {
            ImportResult imported = Import(consume, "left");
            Directory.CreateDirectory(Tree);
            if (finishes)
            {
                ConsumeResult result = consume.Finish(imported);
                Assert.Equal((PrivatePlace, false), (result.Stranded, result.IsDone));
            }
        }

        Assert.Equal("out", File.ReadAllText(Path.Combine(PrivatePlace, "tree/left")));
        Assert.Equal(finishes ? 0 : 1, notes.Count(note => note.Contains(PrivatePlace, StringComparison.Ordinal)));
        Assert.Contains(PrivatePlace, Assert.Throws<StoreException>(Begin).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_stands_in_the_private_places_place_and_is_none_is_not_touched()
    {
        MakeTree(("file", "text"));
        Directory.CreateDirectory(PrivatePlace);
        Tools.Run("chmod", "755", PrivatePlace).Succeeded();
        Assert.Contains("was not made by it", Assert.Throws<StoreException>(Begin).Message, StringComparison.Ordinal);
        Directory.Delete(PrivatePlace);
        AssertTree(("file", "text"));
    }

    [Theory]
    [InlineData("link")]
    [InlineData("link/")]
    public void A_link_to_a_tree_is_refused(string name)
    {
        MakeTree(("file", "text"));
        File.CreateSymbolicLink(directory.At("link"), Tree);
        StoreException told = Assert.Throws<StoreException>(() => TreeConsume.Begin(store, directory.At(name), notes.Add));
        Assert.Contains("it is a symbolic link", told.Message, StringComparison.Ordinal);
        AssertTree(("file", "text"));
        using var additions = new Additions(store);
        TreeImport.Run(additions, directory.At(name), new ImportOptions());
    }

    private static void RequireAdoption() => Assert.SkipUnless(Sys.IsRoot, "only root can have a store in which files become objects");

    private static void WriteInPlace(string path, string text)
    {
        using FileStream file = File.Open(path, FileMode.Open, FileAccess.Write);
        file.Write(Encoding.UTF8.GetBytes(text));
    }

    private static SafeFileHandle Open(string path, OpenFlags flags)
    {
        Sys.Open(Sys.WorkingDirectory, Encoding.UTF8.GetBytes(path), flags, out SafeFileHandle file).ThrowIfFailed("openat", path);
        return file;
    }

    private static SafeFileHandle OpenIn(SafeFileHandle inside, string name)
    {
        Sys.Open(inside, Encoding.UTF8.GetBytes(name), OpenFlags.ReadWrite, out SafeFileHandle file).ThrowIfFailed("openat", name);
        return file;
    }

    private static FileStatus StatusOf(string path)
    {
        Sys.Stat(Sys.WorkingDirectory, Encoding.UTF8.GetBytes(path), out FileStatus status).ThrowIfFailed("statx", path);
        return status;
    }

    private void MakeTree(params (string Path, string Text)[] files)
    {
        foreach ((string path, string text) in files)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(Tree, path))!);
            File.WriteAllText(Path.Combine(Tree, path), text);
        }

        Thread.Sleep(20); // more than a step of the clock that dates files: what was written in the same step as the commit began stays
    }

    /// <summary>The tree is in its place with exactly these files, and no private place is left.</summary>
    private void AssertTree(params (string Path, string Text)[] files)
    {
        Assert.False(Directory.Exists(PrivatePlace));
        Assert.Equal(
            files.Order(),
            Directory.GetFiles(Tree, "*", SearchOption.AllDirectories).Select(path => (Path.GetRelativePath(Tree, path), File.ReadAllText(path))).Order());
    }

    private TreeConsume Begin() => TreeConsume.Begin(store, Tree, notes.Add);

    private ImportResult Import(TreeConsume consume, params string[] excludes)
    {
        using var additions = new Additions(store);
        ImportResult imported = TreeImport.Run(additions, Tree, new ImportOptions { Consume = consume, Excludes = [.. excludes.Select(glob => new PathGlob(glob))] });
        additions.Publish();
        return imported;
    }
}
