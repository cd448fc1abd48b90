using System.IO.Hashing;
using HackTree.Linux;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>
/// Knows which objects are there, once it pays to know: a fan-out directory in which many names are looked up is listed, and
/// from then on a name costs no system call. Each name is kept as a hash of 64 bits. Names made since are not
/// known; none goes while the store's lock is held, but by gc in this process, which calls <see cref="Forget"/>. Thread-safe.
/// </summary>
internal sealed class ListedObjects(Func<byte, SafeFileHandle> openFan, string path)
{
    // About what a name takes in a directory, and how many names are listed in the time that looking up one takes.
    private const int BytesPerName = 128;
    private const int NamesPerLookUp = 16;

    private readonly long[] waits = new long[256];
    private readonly ulong[]?[] listed = new ulong[]?[256];

    /// <summary>Whether the name is known to be there; false says nothing.</summary>
    internal bool Contains(byte fan, ReadOnlySpan<byte> name)
    {
        ulong[]? hashes = Volatile.Read(ref listed[fan]) ?? ListIfWorthIt(fan);
        return hashes is not null && Array.BinarySearch(hashes, XxHash3.HashToUInt64(name)) >= 0;
    }

    /// <summary>Forgets everything.</summary>
    internal void Forget()
    {
        Array.Clear(listed);
        Array.Clear(waits);
    }

    private ulong[]? ListIfWorthIt(byte fan)
    {
        long left = Interlocked.Decrement(ref waits[fan]);
        if (left > 0)
        {
            return null;
        }

        using SafeFileHandle directory = openFan(fan);
        if (left < 0)
        {
            // The first to ask: says how many more must.
            Sys.Stat(directory, out FileStatus status).ThrowIfFailed("statx", path);
            Interlocked.Exchange(ref waits[fan], Math.Max(status.Size / BytesPerName / NamesPerLookUp, 1));
            return null;
        }

        ulong[] hashes = List(directory);
        Volatile.Write(ref listed[fan], hashes);
        return hashes;
    }

    private ulong[] List(SafeFileHandle directory)
    {
        var hashes = new List<ulong>();
        var reader = new DirectoryReader();
        reader.Start(directory, path);
        while (reader.Next())
        {
            hashes.Add(XxHash3.HashToUInt64(reader.Name));
        }

        hashes.Sort();
        return [.. hashes];
    }
}
