using System.IO.Hashing;
using HackTree.Linux;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>
/// Knows which objects are there, once it pays to know: a fan-out directory in which many names are looked up is listed, and
/// from then on a name costs no system call. Each name is kept as a hash of 64 bits, with a seed that is new in each process, so that
/// nobody can make two names that agree in it. No name goes while the store's lock is held, but by gc in this process, which
/// calls <see cref="Forget"/>; those that other processes make are not known. Thread-safe.
/// </summary>
internal sealed class ListedObjects
{
    // About what a name takes in a directory, and how many names are listed in the time that looking up one takes.
    private const int BytesPerName = 128;
    private const int NamesPerLookUp = 16;

    private static readonly long Seed = Random.Shared.NextInt64();

    // One for each thread: 256 of them would be 16 MB of new memory.
    [ThreadStatic]
    private static DirectoryReader? reader;

    private readonly Func<byte, SafeFileHandle> openFan;
    private readonly string path;
    private readonly Fan[] fans = [.. Enumerable.Range(0, 256).Select(_ => new Fan())];

    /// <param name="openFan">Opens a fan-out directory to be listed.</param>
    /// <param name="path">Where they are, for messages.</param>
    internal ListedObjects(Func<byte, SafeFileHandle> openFan, string path)
    {
        this.openFan = openFan;
        this.path = path;
    }

    /// <summary>Whether the name is there; null where that is not known. A "no" may be out of date: another process may just have made it.</summary>
    internal bool? Contains(byte number, ReadOnlySpan<byte> name)
    {
        Fan fan = fans[number];
        lock (fan)
        {
            return Names(number, fan) is { } names ? names.BinarySearch(new Name(Hash(name), 0)) >= 0 : null;
        }
    }

    /// <summary>
    /// Whether the name was that inode's when it was listed; it may have got another one since, with the same content. A "no" may mean that this is not
    /// known.
    /// </summary>
    internal bool WasInode(byte number, ReadOnlySpan<byte> name, ulong device, ulong inode)
    {
        Fan fan = fans[number];
        lock (fan)
        {
            return Names(number, fan) is { } names
                && fan.Device == device
                && names.BinarySearch(new Name(Hash(name), 0)) is >= 0 and int place
                && names[place].Inode == inode;
        }
    }

    /// <summary>To be called when this process has made a name.</summary>
    internal void Add(byte number, ReadOnlySpan<byte> name)
    {
        Fan fan = fans[number];
        lock (fan)
        {
            var added = new Name(Hash(name), 0);
            if (fan.Names?.BinarySearch(added) is < 0 and int place)
            {
                fan.Names.Insert(~place, added);
            }
        }
    }

    /// <summary>Forgets everything.</summary>
    internal void Forget()
    {
        foreach (Fan fan in fans)
        {
            lock (fan)
            {
                fan.Names = null;
                fan.LookUpsToWait = 0;
            }
        }
    }

    private static ulong Hash(ReadOnlySpan<byte> name) => XxHash3.HashToUInt64(name, Seed);

    /// <summary>The names of a directory, which is listed if that pays by now; null where it does not.</summary>
    private List<Name>? Names(byte number, Fan fan)
    {
        if (fan.Names is null && --fan.LookUpsToWait <= 0)
        {
            List(number, fan);
        }

        return fan.Names;
    }

    private void List(byte number, Fan fan)
    {
        using SafeFileHandle directory = openFan(number);
        Sys.Stat(directory, out FileStatus status).ThrowIfFailed("statx", path);
        if (fan.LookUpsToWait < 0)
        {
            // The first to ask tells how many more must.
            fan.LookUpsToWait = 1 + (status.Size / BytesPerName / NamesPerLookUp);
            return;
        }

        var names = new List<Name>();
        reader ??= new DirectoryReader();
        reader.Start(directory, path);
        while (reader.Next())
        {
            names.Add(new Name(Hash(reader.Name), reader.Inode));
        }

        names.Sort();
        (fan.Names, fan.Device) = (names, status.Device);
    }

    private sealed class Fan
    {
        /// <summary>Sorted; null while it has not been listed.</summary>
        internal List<Name>? Names { get; set; }

        /// <summary>The directory's, and so that of its objects.</summary>
        internal ulong Device { get; set; }

        internal long LookUpsToWait { get; set; }
    }

    /// <summary>A name, found by its hash alone. Its inode as the directory has it; 0 where it was made since.</summary>
    private readonly record struct Name(ulong Hash, ulong Inode) : IComparable<Name>
    {
        public int CompareTo(Name other) => Hash.CompareTo(other.Hash);
    }
}
