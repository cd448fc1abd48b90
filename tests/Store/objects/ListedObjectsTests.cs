using HackTree.Linux;
using HackTree.Store;
using HackTree.Tests.Linux;
using HackTree.Tests.Support;

namespace HackTree.Tests.Store;

/// <summary>Names of a fan-out directory that are known without a system call, and the inodes they had.</summary>
public sealed class ListedObjectsTests : IDisposable
{
    private const byte Fan = 7;

    private readonly TempDirectory directory = new();
    private int opened;

    public void Dispose() => directory.Dispose();

    [Fact]
    public void A_name_is_known_with_the_inode_that_it_had_when_it_was_listed()
    {
        Files.Make(directory.Handle, "one"u8);
        Files.Make(directory.Handle, "two"u8);
        FileStatus one = Files.Stat(directory.Handle, "one"u8), two = Files.Stat(directory.Handle, "two"u8);
        ListedObjects listed = Listed();

        Assert.True(listed.WasInode(Fan, "one"u8, one.Device, one.Inode));
        Assert.False(listed.WasInode(Fan, "one"u8, two.Device, two.Inode));
        Assert.False(listed.WasInode(Fan, "one"u8, one.Device + 1, one.Inode));
        Assert.False(listed.WasInode(Fan, "three"u8, one.Device, one.Inode));

        // Another inode in its place has the same content: the old one is still what it was.
        Files.Make(directory.Handle, "renewed"u8);
        Files.Ok(Sys.Rename(directory.Handle, "renewed"u8, directory.Handle, "one"u8));
        Assert.True(listed.WasInode(Fan, "one"u8, one.Device, one.Inode));
        listed.Forget();
        Assert.False(listed.WasInode(Fan, "one"u8, one.Device, one.Inode));
    }

    [Fact]
    public void A_name_made_since_is_known_but_not_its_inode()
    {
        ListedObjects listed = Listed();
        Files.Make(directory.Handle, "new"u8);
        FileStatus made = Files.Stat(directory.Handle, "new"u8);
        Assert.False(listed.Contains(Fan, "new"u8));

        listed.Add(Fan, "new"u8);
        Assert.True(listed.Contains(Fan, "new"u8));
        Assert.False(listed.WasInode(Fan, "new"u8, made.Device, made.Inode));
    }

    /// <summary>One that has listed the directory: the first look-up tells how many more it takes.</summary>
    private ListedObjects Listed()
    {
        var listed = new ListedObjects(
            _ =>
            {
                opened++;
                return Files.OpenDirectory(directory.Handle, "."u8);
            },
            directory.Path);
        for (int i = 0; listed.Contains(Fan, "none"u8) is null; i++)
        {
            Assert.True(i < 1000, "it never lists");
        }

        int before = opened;
        Assert.False(listed.Contains(Fan, "none"u8));
        Assert.Equal(before, opened);
        return listed;
    }
}
