using System.IO.Hashing;
using HackTree.Linux;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>
/// Knows which objects are there, without a system call for each name. A fan-out directory is listed once many names in it were looked up.
/// From then on a name in it costs no system call. Each name is kept as a hash of 64 bits. The hash has a seed that is new in each process,
/// so that nobody can make two names with the same hash. While the store's lock is held, only gc removes names, and gc calls
/// <see cref="Forget"/>. Names that other processes make after the listing are not known. Thread-safe.
/// </summary>
internal sealed class ListedObjects
{
    // About the bytes that a name takes in a directory, and the number of names that are listed in the time of one look-up.
    private const int BytesPerName = 128;
    private const int NamesPerLookUp = 16;

    private static readonly long Seed = Random.Shared.NextInt64();

    // Each thread has one of both. One for each directory would be 16 MB of new memory, and more where there are many objects.
    [ThreadStatic]
    private static DirectoryReader? reader;

    [ThreadStatic]
    private static List<Name>? gathered;

    private readonly Func<byte, SafeFileHandle> openFan;
    private readonly string path;
    private readonly Fan[] fans = [.. Enumerable.Range(0, 256).Select(_ => new Fan())];

    /// <param name="openFan">Opens a fan-out directory to be listed.</param>
    /// <param name="path">The path of files/, for messages.</param>
    internal ListedObjects(Func<byte, SafeFileHandle> openFan, string path)
    {
        this.openFan = openFan;
        this.path = path;
    }

    private enum FanState
    {
        /// <summary>No name in the directory was looked up yet.</summary>
        Unasked,

        /// <summary>Look-ups are counted. After enough look-ups the directory is listed.</summary>
        Counting,

        /// <summary>The directory's names are known.</summary>
        Listed,
    }

    /// <summary>
    /// Whether the name is there; null if that is not known. False may be out of date: another process may just have made the name.
    /// </summary>
    internal bool? Contains(byte number, ReadOnlySpan<byte> name)
    {
        Fan fan = fans[number];
        lock (fan)
        {
            if (!IsListed(number, fan))
            {
                return null;
            }

            ulong hash = Hash(name);
            return fan.PlaceOf(hash) >= 0 || fan.IsAdded(hash);
        }
    }

    /// <summary>
    /// True if the listing showed this inode under the name. The object may have another inode since, with the same content. False also if
    /// this is not known.
    /// </summary>
    internal bool WasInode(byte number, ReadOnlySpan<byte> name, ulong device, ulong inode)
    {
        Fan fan = fans[number];
        lock (fan)
        {
            return IsListed(number, fan)
                && fan.Device == device
                && fan.PlaceOf(Hash(name)) is >= 0 and int place
                && fan.Names[place].Inode == inode;
        }
    }

    /// <summary>Adds a name that this process has made.</summary>
    internal void Add(byte number, ReadOnlySpan<byte> name)
    {
        Fan fan = fans[number];
        lock (fan)
        {
            if (fan.State == FanState.Listed)
            {
                fan.Add(Hash(name));
            }
        }
    }

    /// <summary>Forgets everything and frees the memory.</summary>
    internal void Forget()
    {
        foreach (Fan fan in fans)
        {
            lock (fan)
            {
                fan.Forget();
            }
        }
    }

    private static ulong Hash(ReadOnlySpan<byte> name) => XxHash3.HashToUInt64(name, Seed);

    /// <summary>Counts a look-up, and lists the directory if there were enough look-ups. Returns whether its names are known.</summary>
    private bool IsListed(byte number, Fan fan)
    {
        switch (fan.State)
        {
            case FanState.Unasked:
                // From the directory's size follows the number of look-ups that cost as much as a listing.
                using (SafeFileHandle directory = openFan(number))
                {
                    fan.Count(StatusOf(directory).Size / BytesPerName / NamesPerLookUp);
                }

                break;
            case FanState.Counting when fan.CountDown():
                List(number, fan);
                break;
        }

        return fan.State == FanState.Listed;
    }

    private void List(byte number, Fan fan)
    {
        using SafeFileHandle directory = openFan(number);
        List<Name> names = gathered ??= [];
        names.Clear();
        reader ??= new DirectoryReader();
        reader.Start(directory, path);
        while (reader.Next())
        {
            names.Add(new Name(Hash(reader.Name), reader.Inode));
        }

        fan.List(names, StatusOf(directory).Device);
    }

    private FileStatus StatusOf(SafeFileHandle directory)
    {
        Sys.Stat(directory, out FileStatus status).ThrowIfFailed("statx", path);
        return status;
    }

    /// <summary>What is known about one directory.</summary>
    private sealed class Fan
    {
        // The number of look-ups until the directory is listed. Used in the state Counting.
        private long lookUpsLeft;

        // Hashes of names that this process made since the listing. They are kept apart, because to insert a name into the sorted listing
        // moves half of the names.
        private KeyTable<bool>? added;

        internal FanState State { get; private set; }

        /// <summary>The listing, sorted.</summary>
        internal Name[] Names { get; private set; } = [];

        /// <summary>The device of the directory. Its objects are on the same device.</summary>
        internal ulong Device { get; private set; }

        internal void Count(long lookUps) => (State, lookUpsLeft) = (FanState.Counting, lookUps);

        /// <summary>Counts a look-up. True if it was the last before a listing.</summary>
        internal bool CountDown() => lookUpsLeft-- <= 0;

        internal void List(List<Name> names, ulong device)
        {
            Names = [.. names];
            Array.Sort(Names);
            (State, Device) = (FanState.Listed, device);
        }

        internal int PlaceOf(ulong hash) => Array.BinarySearch(Names, new Name(hash, 0));

        internal bool IsAdded(ulong hash) => added?.Contains(hash) == true;

        internal void Add(ulong hash) => (added ??= new KeyTable<bool>()).Set(hash, true);

        internal void Forget() => (State, Names, added) = (FanState.Unasked, [], null);
    }

    /// <summary>A listed name and its inode. Names are compared by their hashes alone.</summary>
    private readonly record struct Name(ulong Hash, ulong Inode) : IComparable<Name>
    {
        public int CompareTo(Name other) => Hash.CompareTo(other.Hash);
    }
}
