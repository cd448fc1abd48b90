using HackTree.Linux;
using HackTree.Store;
using HackTree.Tests.Support;

namespace HackTree.Tests.Store;

/// <summary>When an object is believed: what is in tmp/, what the object's inode is like, and what a commit may rely on then.</summary>
public sealed class DoubtTests : IDisposable
{
    private static readonly byte[] Content = "content"u8.ToArray();

    private readonly TempDirectory directory = new();
    private readonly ObjectName name;
    private int doubts;

    public DoubtTests()
    {
        ObjectStore.Create(directory.At("objects"), new StoreFormat { UserMode = !Sys.IsRoot });
        using ObjectStore store = Open();
        name = store.Blobs.NameOf(store.Blobs.AddBytes(Content, TestStore.Metadata, []), TestStore.Metadata, []);
    }

    private string ObjectPath => Path.Combine(directory.At("objects/files"), name.ToString());

    public void Dispose() => directory.Dispose();

    [Fact]
    public void Without_a_mark_an_object_is_believed_by_its_name_and_size()
    {
        Overwrite("damaged"u8);
        Assert.Equal(ObjectState.There, Find());
        Assert.Equal(0, doubts);
        Overwrite("longer than it was"u8);
        Assert.Equal(ObjectState.SuspectSize, Find());
        File.Delete(ObjectPath);
        Assert.Equal(ObjectState.Missing, Find());
    }

    [Fact]
    public void After_an_unsynced_mark_was_left_an_object_is_read_and_that_is_told_once()
    {
        File.WriteAllText(directory.At("objects/tmp/unsynced-by-somebody"), "");
        Assert.Equal(ObjectState.There, Find());
        Assert.Equal(1, doubts);
        Overwrite("damaged"u8);
        Assert.Equal(ObjectState.SuspectContent, Find());
        Assert.Equal(2, doubts);
    }

    [Fact]
    public void After_an_adopting_mark_was_left_an_object_with_another_name_is_suspect_whatever_is_in_it()
    {
        Thread.Sleep(20);
        File.WriteAllText(directory.At("objects/tmp/adopting-by-somebody"), "");
        Thread.Sleep(20);
        Assert.Equal(ObjectState.There, Find());
        Tools.Run("ln", ObjectPath, directory.At("outside")).Succeeded();
        Assert.Equal(ObjectState.SuspectName, Find());

        // Added once more, it gets an inode of its own; that is younger than the mark, and only roots can have it too.
        using (ObjectStore store = Open())
        {
            store.Blobs.AddBytes(Content, TestStore.Metadata, []);
            Assert.Equal(1, store.Blobs.Added);
        }

        Tools.Run("ln", ObjectPath, directory.At("root")).Succeeded();
        Assert.Equal(ObjectState.There, Find());
    }

    [Fact]
    public void Of_several_adopting_marks_the_earliest_counts_for_changes_and_the_latest_for_births()
    {
        string[] marks = [directory.At("objects/tmp/adopting-first"), directory.At("objects/tmp/adopting-second")];
        Array.ForEach(marks, mark => File.WriteAllText(mark, ""));
        File.SetLastWriteTimeUtc(marks[0], DateTime.UtcNow.AddHours(-1));
        File.SetLastWriteTimeUtc(marks[1], DateTime.UtcNow.AddHours(1));
        Tools.Run("ln", ObjectPath, directory.At("outside")).Succeeded();

        // The object was made after the first mark, and may have been adopted under the second.
        Assert.Equal(ObjectState.SuspectName, Find());
        File.Delete(marks[1]);
        Assert.Equal(ObjectState.There, Find());
    }

    [Fact]
    public void A_mark_does_not_cover_what_is_adopted_while_the_clock_is_behind_it()
    {
        using ObjectStore store = Open();
        DoubtMark mark = store.Doubt.Adopting;
        Assert.Equal(Errno.None, Sys.Stat(Sys.WorkingDirectory, System.Text.Encoding.UTF8.GetBytes(ObjectPath), out FileStatus old));
        Assert.False(mark.Covers(old, FileTime.Now));
        Thread.Sleep(20);
        mark.Set();
        FileTime made = mark.MadeAt!.Value;
        Assert.True(mark.Covers(old, FileTime.Now));
        Assert.True(mark.Covers(old, made));
        Assert.False(mark.Covers(old, made with { Seconds = made.Seconds - 1 }));
        mark.End(mark.Take(), isSafe: true);
    }

    [Fact]
    public void A_mark_that_a_process_holds_is_no_doubt_whoever_asks_and_whenever()
    {
        using ObjectStore store = Open();

        // Set before it is asked: the answer does not depend on the order.
        store.Doubt.Unsynced.Set();
        Assert.False(store.Doubt.IsAny);
        using (ObjectStore other = Open())
        {
            Assert.False(other.Doubt.IsAny);
        }

        store.Doubt.Unsynced.End(store.Doubt.Unsynced.Take(), isSafe: false);
        using ObjectStore later = Open();
        Assert.True(later.Doubt.IsAny);
    }

    private ObjectStore Open() => ObjectStore.Open(directory.At("objects"));

    private ObjectState Find()
    {
        using ObjectStore store = Open();
        store.OnDoubt = () => doubts++;
        store.Blobs.Find(name, Content.Length, []);
        return store.Blobs.Find(name, Content.Length, []);
    }

    private void Overwrite(ReadOnlySpan<byte> content)
    {
        // As root, or the owner of a file that is read-only for others alone.
        using FileStream file = File.Open(ObjectPath, FileMode.Open, FileAccess.Write);
        file.SetLength(0);
        file.Write(content);
    }
}
