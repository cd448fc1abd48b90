using System.Text;
using HackTree.Linux;
using HackTree.Tests.Support;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Tests.Linux;

public sealed class XattrTests : IDisposable
{
    private TempDirectory Temp { get; } = new();

    private SafeFileHandle Dir => Temp.Handle;

    private byte[] Buffer { get; } = new byte[65536];

    public void Dispose() => Temp.Dispose();

    [Fact]
    public void Values_of_any_bytes_round_trip_by_descriptor_and_name()
    {
        byte[] name = [0xFF, (byte)'\n', (byte)' '];
        using SafeFileHandle file = Files.Create(Dir, name);
        byte[][] values = [[], [0], [0xFF], "\0text\0\n"u8.ToArray(), Content.Of(2000)];
        foreach (byte[] value in values)
        {
            Support(Sys.SetXattr(file, "user.a"u8, value));
            Files.Ok(Sys.GetXattr(file, "user.a"u8, Buffer, out int length));
            Assert.Equal(value, Buffer[..length]);
            Files.Ok(Sys.GetXattr(Dir, name, "user.a"u8, Buffer, out length));
            Assert.Equal(value, Buffer[..length]);
            Files.Ok(Sys.SetXattr(Dir, name, "user.b"u8, value));
            Files.Ok(Sys.GetXattr(file, "user.b"u8, Buffer, out length));
            Assert.Equal(value, Buffer[..length]);
        }

        Files.Ok(Sys.ListXattrs(file, Buffer, out int listed));
        Assert.Equal(["user.a", "user.b"], Names(listed));
        Files.Ok(Sys.ListXattrs(Dir, name, Buffer, out listed));
        Assert.Equal(["user.a", "user.b"], Names(listed));
    }

    [Fact]
    public void Names_of_any_bytes_and_of_255_bytes_are_taken()
    {
        using SafeFileHandle file = Files.Create(Dir, "file"u8);
        byte[] longest = [.. "user."u8, .. Enumerable.Repeat((byte)0xFE, 250)];
        Support(Sys.SetXattr(file, longest, "value"u8));
        Files.Ok(Sys.GetXattr(file, longest, Buffer, out int length));
        Assert.Equal("value"u8.ToArray(), Buffer[..length]);
        Files.Ok(Sys.ListXattrs(file, Buffer, out length));
        Assert.Equal([.. longest, 0], Buffer[..length]);
        Assert.Equal(Errno.ERANGE, Sys.SetXattr(file, [.. longest, 1], "value"u8));
    }

    [Fact]
    public void What_does_not_fit_or_is_not_there_is_told()
    {
        using SafeFileHandle file = Files.Create(Dir, "file"u8);
        Support(Sys.SetXattr(file, "user.a"u8, "12345"u8));
        Assert.Equal(Errno.ERANGE, Sys.GetXattr(file, "user.a"u8, new byte[4], out int length));
        Assert.Equal(0, length);
        Assert.Equal(Errno.ERANGE, Sys.GetXattr(Dir, "file"u8, "user.a"u8, new byte[4], out _));
        Assert.Equal(Errno.ERANGE, Sys.ListXattrs(file, new byte[3], out _));
        Assert.Equal(Errno.ENODATA, Sys.GetXattr(file, "user.b"u8, Buffer, out length));
        Assert.Equal(Errno.ENODATA, Sys.RemoveXattr(file, "user.b"u8));
        Assert.Equal(Errno.ENOENT, Sys.ListXattrs(Dir, "missing"u8, Buffer, out _));
        Files.Ok(Sys.RemoveXattr(file, "user.a"u8));
        Files.Ok(Sys.ListXattrs(file, Buffer, out length));
        Assert.DoesNotContain("user.a", Names(length));
    }

    [Fact]
    public void A_symlink_is_never_followed()
    {
        using SafeFileHandle file = Files.Create(Dir, "file"u8);
        Support(Sys.SetXattr(file, "user.a"u8, "value"u8));
        Files.Ok(Sys.Symlink("file"u8, Dir, "link"u8));
        Assert.NotEqual(Errno.None, Sys.GetXattr(Dir, "link"u8, "user.a"u8, Buffer, out _));
        Assert.Equal(Errno.EPERM, Sys.SetXattr(Dir, "link"u8, "user.b"u8, "value"u8));
        Files.Ok(Sys.ListXattrs(Dir, "link"u8, Buffer, out int length));
        Assert.DoesNotContain("user.a", Names(length));
    }

    [Fact]
    public void Root_sets_trusted_attributes_on_anything()
    {
        Assert.SkipUnless(Sys.IsRoot, "only root can have trusted attributes");
        Files.Make(Dir, "file"u8);
        Files.Ok(Sys.Symlink("file"u8, Dir, "link"u8));
        Files.Ok(Sys.MakeNode(Dir, "fifo"u8, FileType.Fifo, 0x180, 0, 0));
        foreach (byte[] name in (byte[][])["link"u8.ToArray(), "fifo"u8.ToArray()])
        {
            Errno errno = Sys.SetXattr(Dir, name, "trusted.a"u8, [0, 1, 0xFF]);
            Assert.SkipWhen(errno is Errno.EPERM or Errno.EOPNOTSUPP, "no trusted attributes here (a container?)");
            Files.Ok(errno);
            Files.Ok(Sys.GetXattr(Dir, name, "trusted.a"u8, Buffer, out int length));
            Assert.Equal((byte[])[0, 1, 0xFF], Buffer[..length]);
            Files.Ok(Sys.ListXattrs(Dir, name, Buffer, out length));
            Assert.Contains("trusted.a", Names(length));
        }

        Assert.Equal(Errno.ENODATA, Sys.GetXattr(Dir, "file"u8, "trusted.a"u8, Buffer, out _));
    }

    [Fact]
    public void Names_below_the_working_directory_work_too()
    {
        Files.Make(Dir, "file"u8);
        byte[] path = Encoding.UTF8.GetBytes(Temp.At("file"));
        Support(Sys.SetXattr(Sys.WorkingDirectory, path, "user.a"u8, "value"u8));
        Files.Ok(Sys.GetXattr(Sys.WorkingDirectory, path, "user.a"u8, Buffer, out int length));
        Assert.Equal("value"u8.ToArray(), Buffer[..length]);
    }

    private static void Support(Errno errno)
    {
        Assert.SkipWhen(errno == Errno.EOPNOTSUPP, "this filesystem has no user attributes");
        Files.Ok(errno);
    }

    // With SELinux, security.selinux is always there.
    private IEnumerable<string> Names(int length) => Encoding.Latin1.GetString(Buffer, 0, length)
        .Split('\0', StringSplitOptions.RemoveEmptyEntries)
        .Where(name => !name.StartsWith("security.", StringComparison.Ordinal))
        .Order(StringComparer.Ordinal);
}
