using System.Globalization;
using System.Net.Sockets;
using System.Text;
using HackTree.Linux;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Tests.Support;

/// <summary>
/// Makes a tree of everything that is hard to keep: every kind of file and everything an inode can hold, each family in a directory of its own.
/// What this process may not do, or the filesystem does not support, is left out and listed.
/// </summary>
internal sealed partial class AwkwardTree
{
    /// <summary>A file whose every byte is a hole.</summary>
    public const long HoleSize = 10L << 30;

    /// <summary>The number of directories in the deepest path; their descriptors must all fit in the process.</summary>
    public const int DeepLevels = 1200;

    private const uint NobodyElse = 4294967294;

    private static readonly long[] Times = [0, -1, 1, -631152000, -2145916800, 4102444800, 7258118400, 1700000000];

    private readonly SafeFileHandle top;
    private readonly List<string> lacking = [];

    private AwkwardTree(SafeFileHandle top) => this.top = top;

    /// <summary>Names of what could not be made.</summary>
    public IReadOnlyList<string> Lacking => lacking;

    /// <summary>Makes the tree as a new directory.</summary>
    /// <param name="path">The path of the directory.</param>
    /// <param name="beyondTar">Whether to make what no archive holds: paths longer than PATH_MAX, holes, sockets.</param>
    public static AwkwardTree Make(string path, bool beyondTar = true)
    {
        Directory.CreateDirectory(path);
        using SafeFileHandle top = OpenDirectory(Sys.WorkingDirectory, Encoding.UTF8.GetBytes(path));
        Ok(Sys.SetMode(top, Mode("0755")));
        var tree = new AwkwardTree(top);
        tree.MakeNames();
        tree.MakeContents();
        tree.MakeLinks();
        tree.MakeModes();
        tree.MakeTimes();
        tree.MakeSpecialFiles();
        tree.MakeAttributes();
        tree.MakeAccessLists();
        tree.MakeTwins();
        if (Sys.IsRoot)
        {
            tree.MakeOwners();
        }

        if (beyondTar)
        {
            tree.MakeDeepPaths();
            tree.MakeHoles();
            tree.MakeSocket();
        }

        return tree;
    }

    private void MakeNames()
    {
        using SafeFileHandle names = NewDirectory(top, "names"u8);
        for (int b = 1; b < 256; b++)
        {
            if (b != '/')
            {
                MakeFile(names, [(byte)b, (byte)'x']);
            }
        }

        byte[][] awkward =
        [
            "two\nlines"u8.ToArray(), "-rf"u8.ToArray(), "*"u8.ToArray(), "..."u8.ToArray(), " "u8.ToArray(), "~"u8.ToArray(), [0xFF, 0xFE], [0xC3],
            Repeat('n', 255), [.. Enumerable.Repeat((byte)0xE9, 255)], [.. Repeat('d', 254), (byte)'\n'],
        ];
        foreach (byte[] name in awkward)
        {
            MakeFile(names, name, name);
        }

        foreach (byte[] name in awkward)
        {
            using SafeFileHandle directory = NewDirectory(names, [(byte)'D', .. name.AsSpan(0, Math.Min(name.Length, 254))]);
            MakeFile(directory, name, name);
        }
    }

    private void MakeContents()
    {
        using SafeFileHandle contents = NewDirectory(top, "contents"u8);
        foreach (int size in new[] { 0, 1, 4095, 4096, 4097, 1 << 20, (1 << 20) + 1, (3 << 20) + 17, (9 << 20) + 4097 })
        {
            MakeFile(contents, Encoding.ASCII.GetBytes(size.ToString(CultureInfo.InvariantCulture)), Content.Of(size));
        }

        MakeFile(contents, "written zeros"u8, new byte[2 << 20]);
        using SafeFileHandle empty = NewDirectory(contents, "empty"u8);
        NewDirectory(empty, "empty"u8).Dispose();
    }

    private void MakeLinks()
    {
        using SafeFileHandle links = NewDirectory(top, "links"u8);
        Ok(Sys.Symlink("/nowhere/at/all"u8, links, "dangling"u8));
        Ok(Sys.Symlink("/etc/passwd"u8, links, "absolute"u8));
        Ok(Sys.Symlink("../../../../../.."u8, links, "outside"u8));
        Ok(Sys.Symlink("itself"u8, links, "itself"u8));
        Ok(Sys.Symlink("."u8, links, "here"u8));
        Ok(Sys.Symlink([0xFF, (byte)'\n', (byte)' '], links, [0xFF]));
        Ok(Sys.Symlink(Repeat('t', 1000), links, "1000"u8));
        Try("a link of 4000 bytes", Sys.Symlink(Repeat('t', 4000), links, "4000"u8));
        Try("a link of 4095 bytes", Sys.Symlink(Repeat('/', 4095), links, "4095"u8));
        Ok(Sys.SetTime(links, "dangling"u8, -86400));
    }

    private void MakeModes()
    {
        using SafeFileHandle modes = NewDirectory(top, "modes"u8);

        // An ordinary user could not read some of them, and a user's store keeps no set-id bits.
        string[] all = Sys.IsRoot
            ? ["0000", "0001", "0111", "0200", "0777", "4755", "2755", "6711", "1644", "7777", "4000"]
            : ["0400", "0777", "0500", "0640"];
        foreach (string mode in all)
        {
            MakeFile(modes, Encoding.ASCII.GetBytes(mode), "mode"u8);
            Ok(Sys.SetMode(modes, Encoding.ASCII.GetBytes(mode), Mode(mode)));
        }

        string[] directories = Sys.IsRoot ? ["0000", "0111", "1777", "2775", "4755", "6000", "0700"] : ["0500", "0555", "1777", "0700"];
        foreach (string mode in directories)
        {
            byte[] name = Encoding.ASCII.GetBytes($"directory {mode}");
            using SafeFileHandle directory = NewDirectory(modes, name);
            MakeFile(directory, "file"u8, "in it"u8);
            NewDirectory(directory, "below"u8).Dispose();
            Ok(Sys.SetMode(directory, Mode(mode)));
        }
    }

    private void MakeTimes()
    {
        using SafeFileHandle times = NewDirectory(top, "times"u8);
        foreach (long time in Times)
        {
            byte[] name = Encoding.ASCII.GetBytes(time.ToString(CultureInfo.InvariantCulture));
            MakeFile(times, name);
            Ok(Sys.SetTime(times, name, time));
            using SafeFileHandle directory = NewDirectory(times, [.. "directory "u8, .. name]);
            Ok(Sys.SetTime(directory, time));
        }

        Ok(Sys.SetTime(times, -1));
    }

    private void MakeDeepPaths()
    {
        using SafeFileHandle deep = NewDirectory(top, "deep"u8);
        MakeDeepPath(deep, Enumerable.Range(0, 40).Select(i => Repeat((char)('a' + (i % 26)), 200)));
        using SafeFileHandle deepest = NewDirectory(deep, "deepest"u8);
        MakeDeepPath(deepest, Enumerable.Range(0, DeepLevels).Select(_ => "d"u8.ToArray()));
    }

    private static void MakeDeepPath(SafeFileHandle above, IEnumerable<byte[]> names)
    {
        SafeFileHandle current = OpenDirectory(above, "."u8);
        foreach (byte[] name in names)
        {
            SafeFileHandle below = NewDirectory(current, name);
            MakeFile(current, "beside"u8);
            current.Dispose();
            current = below;
        }

        MakeFile(current, "bottom"u8, "far down"u8);
        Ok(Sys.Symlink("bottom"u8, current, "link"u8));
        if (Sys.IsRoot)
        {
            Ok(Sys.SetOwner(current, "link"u8, 11, 12));
            Ok(Sys.SetXattr(current, "link"u8, "trusted.deep"u8, "attribute"u8));
        }

        current.Dispose();
    }

    private void MakeHoles()
    {
        using SafeFileHandle holes = NewDirectory(top, "holes"u8);
        byte[] data = Content.Of(8192);
        MakeSparse(holes, "in front"u8, 16 << 20, data, ((16 << 20) - 8192));
        MakeSparse(holes, "in the middle"u8, 16 << 20, data, 0, (16 << 20) - 8192);
        MakeSparse(holes, "at the end"u8, 16 << 20, data, 0);
        MakeSparse(holes, "many"u8, 32 << 20, data, [.. Enumerable.Range(0, 16).Select(i => ((long)i << 21) + 4096)]);
        MakeSparse(holes, "small"u8, 1 << 20, data, 512 << 10);
        MakeSparse(holes, "small, odd"u8, (900 << 10) + 77, data, 400 << 10);
        MakeSparse(holes, "all of it, small"u8, 1000001, data);
        MakeSparse(holes, "all of it"u8, HoleSize, data);
        MakeSparse(holes, "beyond 4 GiB"u8, (5L << 30) + 333, data, 0, (4L << 30) - 4096, (4L << 30) + 123 * 4096);
    }

    private static void MakeSparse(SafeFileHandle directory, ReadOnlySpan<byte> name, long size, byte[] data, params long[] places)
    {
        using SafeFileHandle file = NewFile(directory, name);
        Ok(Sys.Truncate(file, size));
        foreach (long place in places)
        {
            Ok(Sys.WriteAt(file, data, place));
        }
    }

    private void MakeSocket()
    {
        // The address of a socket is shorter than many paths.
        string bound = $"/proc/self/fd/{top.DangerousGetHandle()}/bound";
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Bind(new UnixDomainSocketEndPoint(bound));

        // .NET removes what it bound, if it is still there.
        Ok(Sys.Rename(top, "bound"u8, top, "socket"u8));
    }

    /// <summary>Lists what is lacking if a call is refused. Any other failure fails the test.</summary>
    private bool Try(string what, Errno errno)
    {
        if (errno is Errno.EPERM or Errno.EOPNOTSUPP or Errno.ENAMETOOLONG or Errno.EINVAL)
        {
            lacking.Add(what);
            return false;
        }

        Ok(errno);
        return true;
    }

    private static void MakeFile(SafeFileHandle directory, ReadOnlySpan<byte> name, ReadOnlySpan<byte> content = default)
    {
        using SafeFileHandle file = NewFile(directory, name);
        Ok(Sys.WriteAt(file, content, 0));
    }

    private static SafeFileHandle NewFile(SafeFileHandle directory, ReadOnlySpan<byte> name)
    {
        Ok(Sys.Open(directory, name, OpenFlags.ReadWrite | OpenFlags.Create | OpenFlags.Exclusive, out SafeFileHandle file, Mode("0644")));
        return file;
    }

    private static SafeFileHandle NewDirectory(SafeFileHandle parent, ReadOnlySpan<byte> name)
    {
        Ok(Sys.MakeDirectory(parent, name, Mode("0755")));
        return OpenDirectory(parent, name);
    }

    private static SafeFileHandle OpenDirectory(SafeFileHandle parent, ReadOnlySpan<byte> name)
    {
        Ok(Sys.Open(parent, name, OpenFlags.Directory, out SafeFileHandle directory));
        return directory;
    }

    private static byte[] Repeat(char c, int count) => [.. Enumerable.Repeat((byte)c, count)];

    private static uint Mode(string octal) => Convert.ToUInt32(octal, 8);

    private static void Ok(Errno errno) => Assert.Equal(Errno.None, errno);
}
