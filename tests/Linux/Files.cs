using HackTree.Linux;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Tests.Linux;

/// <summary>Calls that most tests of system calls begin with, and that must succeed.</summary>
internal static class Files
{
    public static SafeFileHandle Open(SafeFileHandle dir, ReadOnlySpan<byte> name, OpenFlags flags, uint mode = 0)
    {
        Ok(Sys.Open(dir, name, flags, out SafeFileHandle file, mode));
        return file;
    }

    public static SafeFileHandle OpenDirectory(SafeFileHandle dir, ReadOnlySpan<byte> name) =>
        Open(dir, name, OpenFlags.Directory | OpenFlags.NoFollow);

    /// <summary>Makes a new file, opened for reading and writing.</summary>
    public static SafeFileHandle Create(SafeFileHandle dir, ReadOnlySpan<byte> name, ReadOnlySpan<byte> content = default)
    {
        SafeFileHandle file = Open(dir, name, OpenFlags.ReadWrite | OpenFlags.Create | OpenFlags.Exclusive, 0x1A4);
        Ok(Sys.WriteAt(file, content, 0));
        return file;
    }

    public static void Make(SafeFileHandle dir, ReadOnlySpan<byte> name, ReadOnlySpan<byte> content = default) =>
        Create(dir, name, content).Dispose();

    public static byte[] Read(SafeFileHandle dir, ReadOnlySpan<byte> name)
    {
        using SafeFileHandle file = Open(dir, name, OpenFlags.ReadOnly | OpenFlags.NoFollow);
        return Read(file);
    }

    public static byte[] Read(SafeFileHandle file)
    {
        byte[] buffer = new byte[64 * 1024];
        Ok(Sys.ReadAt(file, buffer, 0, out int count));
        return buffer[..count];
    }

    public static FileStatus Stat(SafeFileHandle dir, ReadOnlySpan<byte> name)
    {
        Ok(Sys.Stat(dir, name, out FileStatus status));
        return status;
    }

    public static bool Exists(SafeFileHandle dir, ReadOnlySpan<byte> name) => Sys.Stat(dir, name, out _) != Errno.ENOENT;

    /// <summary>The names in a directory, sorted, as text where each char is one byte.</summary>
    public static List<string> Names(SafeFileHandle dir)
    {
        using SafeFileHandle again = OpenDirectory(dir, "."u8);
        var reader = new DirectoryReader();
        reader.Start(again, "test");
        List<string> names = [];
        while (reader.Next())
        {
            names.Add(System.Text.Encoding.Latin1.GetString(reader.Name));
        }

        names.Sort(StringComparer.Ordinal);
        return names;
    }

    public static void Ok(Errno errno) => Assert.Equal(Errno.None, errno);
}
