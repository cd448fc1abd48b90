using HackTree.Linux;
using HackTree.Tests.Support;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Tests.Linux;

public sealed class ContentTests : IDisposable
{
    private const int Mebibyte = 1 << 20;

    private TempDirectory Temp { get; } = new();

    private SafeFileHandle Dir => Temp.Handle;

    public void Dispose() => Temp.Dispose();

    [Fact]
    public void What_is_written_at_an_offset_is_read_there()
    {
        using SafeFileHandle file = Files.Create(Dir, "file"u8);
        byte[] content = Content.Of(3 * Mebibyte + 7);
        Files.Ok(Sys.WriteAt(file, content, 5));
        byte[] buffer = new byte[content.Length + 100];
        Files.Ok(Sys.ReadAt(file, buffer, 5, out int count));
        Assert.Equal(content.Length, count);
        Assert.True(content.AsSpan().SequenceEqual(buffer.AsSpan(0, count)));
        Files.Ok(Sys.ReadAt(file, buffer.AsSpan(0, 5), 0, out count));
        Assert.Equal(new byte[5], buffer[..5]);
        Files.Ok(Sys.ReadAt(file, buffer, 5 + content.Length, out count));
        Assert.Equal(0, count);
        Files.Ok(Sys.ReadAt(file, buffer, long.MaxValue - buffer.Length, out count));
        Assert.Equal(0, count);
    }

    [Fact]
    public void Nothing_is_read_and_written_without_harm()
    {
        using SafeFileHandle file = Files.Create(Dir, "file"u8, "content"u8);
        Files.Ok(Sys.WriteAt(file, [], 100));
        Files.Ok(Sys.Write(file, []));
        Files.Ok(Sys.ReadAt(file, [], 0, out int count));
        Assert.Equal(0, count);
        Assert.Equal("content"u8.ToArray(), Files.Read(file));
    }

    [Fact]
    public void Wrong_descriptors_and_offsets_fail()
    {
        Files.Make(Dir, "file"u8, "content"u8);
        using SafeFileHandle file = Files.Open(Dir, "file"u8, OpenFlags.ReadOnly);
        Assert.Equal(Errno.EBADF, Sys.WriteAt(file, "x"u8, 0));
        Assert.Equal(Errno.EBADF, Sys.Write(file, "x"u8));
        Assert.Equal(Errno.EINVAL, Sys.Truncate(file, 0));
        Assert.Equal(Errno.EINVAL, Sys.ReadAt(file, new byte[1], -1, out _));
        Assert.Equal(Errno.EISDIR, Sys.ReadAt(Dir, new byte[1], 0, out _));
        Assert.Equal(Errno.EISDIR, Sys.Read(Dir, new byte[1], out _));
        file.Dispose();
        Assert.Throws<ObjectDisposedException>(() => Sys.ReadAt(file, new byte[1], 0, out _));
        Assert.Throws<ObjectDisposedException>(() => Sys.Open(file, "x"u8, OpenFlags.ReadOnly, out _));
    }

    [Fact]
    public void A_full_filesystem_is_told()
    {
        Assert.SkipUnless(File.Exists("/dev/full"), "there is no /dev/full");
        using SafeFileHandle full = Files.Open(Sys.WorkingDirectory, "/dev/full"u8, OpenFlags.WriteOnly);
        Assert.Equal(Errno.ENOSPC, Sys.Write(full, "x"u8));
        Assert.Equal(Errno.ENOSPC, Sys.WriteAt(full, "x"u8, 0));
    }

    [Fact]
    public void Writing_follows_the_descriptors_position()
    {
        using SafeFileHandle file = Files.Create(Dir, "file"u8);
        Files.Ok(Sys.Write(file, "one "u8));
        Files.Ok(Sys.Write(file, "two"u8));
        Assert.Equal("one two"u8.ToArray(), Files.Read(file));
        Files.Ok(Sys.Truncate(file, 3));
        Assert.Equal("one"u8.ToArray(), Files.Read(file));
    }

    [Fact]
    public void Data_is_found_between_holes()
    {
        using SafeFileHandle file = Files.Create(Dir, "file"u8);
        Files.Ok(Sys.Truncate(file, 64 * Mebibyte));
        Files.Ok(Sys.WriteAt(file, "a"u8, 8 * Mebibyte));
        Files.Ok(Sys.WriteAt(file, "b"u8, 40 * Mebibyte));
        List<(long Start, long End)> data = [];
        long at = 0;
        while (Sys.NextData(file, at, out long start, out long end) is var errno && errno != Errno.ENXIO)
        {
            Files.Ok(errno);
            Assert.InRange(start, at, end - 1);
            data.Add((start, end));
            at = end;
        }

        Assert.Contains(data, piece => piece.Start <= 8 * Mebibyte && piece.End > 8 * Mebibyte);
        Assert.Contains(data, piece => piece.Start <= 40 * Mebibyte && piece.End > 40 * Mebibyte);
        Files.Ok(Sys.Stat(file, out FileStatus status));
        Assert.Equal(64 * Mebibyte, status.Size);
        Assert.SkipWhen(data.Count == 1, "this filesystem tells of no holes");
        Assert.Equal(2, data.Count);
        Assert.InRange(status.AllocatedBytes, 1, 4 * Mebibyte);
    }

    [Fact]
    public void A_file_without_data_has_no_next_data()
    {
        using SafeFileHandle file = Files.Create(Dir, "file"u8);
        Assert.Equal(Errno.ENXIO, Sys.NextData(file, 0, out _, out _));
        Files.Ok(Sys.WriteAt(file, "x"u8, 0));
        Files.Ok(Sys.NextData(file, 0, out long start, out long end));
        Assert.Equal((0, 1), (start, end));
        Assert.Equal(Errno.ENXIO, Sys.NextData(file, 1, out _, out _));
    }

    [Fact]
    public void A_clone_has_the_content_or_the_filesystem_says_that_it_makes_none()
    {
        byte[] content = Content.Of(50_000);
        using SafeFileHandle from = Files.Create(Dir, "from"u8, content), to = Files.Create(Dir, "to"u8);
        Errno errno = Sys.Clone(from, to);
        if (errno == Errno.None)
        {
            Assert.Equal(content, Files.Read(to));
        }
        else
        {
            Assert.Contains(errno, (Errno[])[Errno.EOPNOTSUPP, Errno.EXDEV, Errno.EINVAL, Errno.ENOTTY]);
            Assert.Empty(Files.Read(to));
        }
    }

    [Fact]
    public void What_is_written_can_be_made_durable()
    {
        using SafeFileHandle file = Files.Create(Dir, "file"u8, "content"u8);
        Files.Ok(Sys.Sync(file));
        Files.Ok(Sys.Sync(Dir));
        Sys.AdviseSequential(file);
        using SafeFileHandle place = Files.Open(Dir, "file"u8, OpenFlags.Path);
        Assert.Equal(Errno.EBADF, Sys.Sync(place));
        Assert.Equal(Errno.EBADF, Sys.SyncFilesystem(place));
    }
}
