using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>
/// Hashes a file's content, and copies it while it is read. A large file is divided into the segments of its Merkle tree, and all cores
/// read and hash segments. Holes are neither read nor written.
/// </summary>
internal static class FileContent
{
    /// <summary>The size in bytes up to which a file is read whole into a worker's buffer.</summary>
    internal const int SmallFile = 1024 * 1024;

    // The number of segments that are hashed before their hashes go to the Merkle tree: 64 MiB of content, 4 KiB of hashes.
    private const int Window = 128;
    private const long ParallelFrom = 8L * 1024 * 1024;

    private static readonly byte[] HoleHash = HashOfHole();

    /// <summary>
    /// Returns the digest of the first <paramref name="status"/>.Size bytes of <paramref name="source"/>. If <paramref name="copy"/> is
    /// given, they are written to it too. Throws <see cref="StoreException"/> if the file is shorter. Checks <paramref name="stop"/> before
    /// each segment.
    /// </summary>
    internal static Digest Read(SafeFileHandle source, in FileStatus status, SafeFileHandle? copy, object subject, CancellationToken stop)
    {
        var job = new Job(source, copy, status.Size, IsSparse(status), subject, stop);
        copy?.Resize(status.Size, subject);
        var tree = new VerityTree(status.Size);
        byte[] hashes = new byte[Window * Digest.Size];
        long segments = Verity.SegmentCount(status.Size);
        for (long first = 0; first < segments; first += Window)
        {
            int count = (int)Math.Min(Window, segments - first);
            HashWindow(job, first, count, hashes);
            for (int i = 0; i < count; i++)
            {
                tree.Append(hashes.AsSpan(i * Digest.Size, Digest.Size));
            }
        }

        return tree.Finish();
    }

    /// <summary>Whether a file has fewer bytes on disk than its size. Only then is it worth a system call to look for holes.</summary>
    internal static bool IsSparse(in FileStatus status) => status.AllocatedBytes < status.Size;

    /// <summary>
    /// Writes bytes. With <paramref name="leaveHoles"/>, whole blocks of zeros are left out; then the file must have its size already.
    /// </summary>
    internal static void Write(SafeFileHandle target, ReadOnlySpan<byte> data, long offset, bool leaveHoles, object subject)
    {
        if (!leaveHoles)
        {
            Sys.WriteAt(target, data, offset).ThrowIfFailed("pwrite", subject);
            return;
        }

        int start = 0;
        while (start < data.Length)
        {
            int end = start;
            while (end < data.Length && !IsZeroBlock(data, end))
            {
                end = Math.Min(end + Verity.BlockSize, data.Length);
            }

            if (end > start)
            {
                Sys.WriteAt(target, data[start..end], offset + start).ThrowIfFailed("pwrite", subject);
            }

            start = end + Verity.BlockSize;
        }
    }

    /// <summary>Gives a file its size. A file with holes needs this before it is written, because its end may be a hole.</summary>
    internal static void Resize(this SafeFileHandle file, long size, object subject) =>
        Sys.Truncate(file, size).ThrowIfFailed("ftruncate", subject);

    private static void HashWindow(Job job, long first, int count, byte[] hashes)
    {
        if (job.Size < ParallelFrom)
        {
            byte[] buffer = GC.AllocateUninitializedArray<byte>((int)Math.Min(job.Size, Verity.SegmentSize));
            for (int i = 0; i < count; i++)
            {
                job.HashSegment(first + i, buffer, hashes.AsSpan(i * Digest.Size, Digest.Size));
            }

            return;
        }

        try
        {
            Parallel.For(
                0,
                count,
                () => GC.AllocateUninitializedArray<byte>(Verity.SegmentSize),
                (i, _, buffer) =>
                {
                    job.HashSegment(first + i, buffer, hashes.AsSpan(i * Digest.Size, Digest.Size));
                    return buffer;
                },
                _ => { });
        }
        catch (AggregateException e)
        {
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(e.InnerExceptions[0]);
        }
    }

    private static bool IsZeroBlock(ReadOnlySpan<byte> data, int start) =>
        data[start..Math.Min(start + Verity.BlockSize, data.Length)].IndexOfAnyExcept((byte)0) < 0;

    private static byte[] HashOfHole()
    {
        byte[] hash = new byte[Digest.Size];
        Verity.HashSegment(new byte[Verity.SegmentSize], long.MaxValue, hash);
        return hash;
    }

    /// <summary>A file that is being read, by one or more threads.</summary>
    private sealed record Job(SafeFileHandle Source, SafeFileHandle? Copy, long Size, bool IsSparse, object Subject, CancellationToken Stop)
    {
        public void HashSegment(long number, byte[] buffer, Span<byte> hash)
        {
            Stop.ThrowIfCancellationRequested();
            long offset = number * Verity.SegmentSize;
            Span<byte> segment = buffer.AsSpan(0, (int)Math.Min(Verity.SegmentSize, Size - offset));
            if (segment.Length == Verity.SegmentSize && IsHole(offset, segment.Length))
            {
                HoleHash.CopyTo(hash);
                return;
            }

            Sys.ReadAt(Source, segment, offset, out int count).ThrowIfFailed("pread", Subject);
            if (count != segment.Length)
            {
                throw new StoreException($"{Subject}: it became shorter while it was read", new Remedy.LeaveTreeAlone());
            }

            Verity.HashSegment(segment, Size, hash);
            if (Copy is not null)
            {
                Write(Copy, segment, offset, IsSparse, Subject);
            }
        }

        private bool IsHole(long offset, int length) =>
            IsSparse && Sys.NextData(Source, offset, out long start, out _) is var errno
            && (errno == Errno.ENXIO || (errno == Errno.None && start >= offset + length));
    }
}
