using System.Globalization;
using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>Metadata of an entry that a filesystem does not hold as the tree records it, or that this process may not set.</summary>
public abstract record Unheld
{
    // A filesystem with this much space is not full. It answers ENOSPC for an attribute that does not fit into its place for attributes.
    private const long HasRoom = 1024 * 1024;

    private Unheld()
    {
    }

    /// <summary>What is wrong, without the entry's name.</summary>
    public abstract string Fault { get; }

    /// <summary>What to do about it when a tree is committed; null if there is nothing that always helps.</summary>
    public abstract Remedy? Remedy { get; }

    /// <summary>
    /// What an errno of setxattr(2) says about the attribute. Throws <see cref="LinuxException"/> if it says something about the disk or
    /// the machine.
    /// </summary>
    internal static Unheld OfXattr(Errno errno, SafeFileHandle place, ReadOnlySpan<byte> name, int length, object subject)
    {
        bool isTooLarge = errno is Errno.E2BIG or Errno.ERANGE
            || (errno == Errno.ENOSPC && Sys.FreeSpaceOf(place, out FreeSpace free) == Errno.None && free.Bytes > HasRoom);
        if (!isTooLarge && errno is not (Errno.EOPNOTSUPP or Errno.EPERM or Errno.EACCES or Errno.EINVAL))
        {
            throw new LinuxException(errno, "setxattr", $"{subject}, attribute {ByteText.Quote(name)}");
        }

        return new Attribute(ByteText.Quote(name), length, isTooLarge ? Errno.E2BIG : errno);
    }

    /// <summary>The first attribute of a set that an inode has with another value, or not at all, after the set was set.</summary>
    internal static Unheld OfChangedXattr(ReadOnlySpan<byte> actual, ReadOnlySpan<byte> wanted)
    {
        while (XattrSet.Next(ref wanted, out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value))
        {
            ReadOnlySpan<byte> rest = actual;
            bool isSame = false;
            while (XattrSet.Next(ref rest, out ReadOnlySpan<byte> found, out ReadOnlySpan<byte> held))
            {
                isSame |= found.SequenceEqual(name) && held.SequenceEqual(value);
            }

            if (!isSame)
            {
                return new ChangedAttribute(ByteText.Quote(name));
            }
        }

        return new ExtraAttributes();
    }

    /// <summary>An attribute that cannot be set.</summary>
    /// <param name="Name">Its name, as people may see it.</param>
    /// <param name="Length">Bytes of its value.</param>
    /// <param name="Errno">Why: EOPNOTSUPP, EPERM, EACCES, EINVAL, or E2BIG for all that is too large.</param>
    public sealed record Attribute(string Name, int Length, Errno Errno) : Unheld
    {
        /// <inheritdoc/>
        public override string Fault => Errno switch
        {
            Errno.E2BIG => $"its attribute {Name} ({Length} bytes) is larger than this filesystem holds beside its other attributes",
            Errno.EOPNOTSUPP => $"this filesystem cannot hold its attribute {Name}",
            Errno.EINVAL => $"the kernel does not accept the value of its attribute {Name}",
            _ when Name.StartsWith("user.", StringComparison.Ordinal) => $"Linux allows its attribute {Name} on files and directories only",
            _ => $"this process may not set its attribute {Name}",
        };

        /// <inheritdoc/>
        public override Remedy Remedy => new Remedy.LeaveOutXattr(Name);
    }

    /// <summary>An attribute that the filesystem takes and changes.</summary>
    /// <param name="Name">Its name, as people may see it.</param>
    public sealed record ChangedAttribute(string Name) : Unheld
    {
        /// <inheritdoc/>
        public override string Fault => $"this filesystem does not hold its attribute {Name} as it is";

        /// <inheritdoc/>
        public override Remedy Remedy => new Remedy.LeaveOutXattr(Name);
    }

    /// <summary>Attributes that nobody asked for.</summary>
    public sealed record ExtraAttributes : Unheld
    {
        /// <inheritdoc/>
        public override string Fault => "this filesystem gives it attributes of its own";

        /// <inheritdoc/>
        public override Remedy? Remedy => null;
    }

    /// <summary>More attributes than a tree holds.</summary>
    public sealed record TooManyAttributes : Unheld
    {
        /// <inheritdoc/>
        public override string Fault => $"it has more extended attributes than the {XattrSet.MaxLength / 1024 / 1024} MiB that a tree holds of them";

        /// <inheritdoc/>
        public override Remedy Remedy => new Remedy.LeaveOutXattr(null);
    }

    /// <summary>A modification time that the filesystem replaces by its first or last one.</summary>
    /// <param name="Recorded">The time, in seconds since 1970.</param>
    /// <param name="Held">What the filesystem makes of it.</param>
    public sealed record Time(long Recorded, long Held) : Unheld
    {
        /// <inheritdoc/>
        public override string Fault =>
            $"its modification time, {Show(Recorded)}, is {(Recorded < Held ? "before the first" : "after the last")} that this filesystem holds, {Show(Held)}";

        /// <inheritdoc/>
        public override Remedy Remedy => new Remedy.ClampTimes();

        private static string Show(long seconds) =>
            seconds >= DateTimeOffset.MinValue.ToUnixTimeSeconds() && seconds <= DateTimeOffset.MaxValue.ToUnixTimeSeconds()
                ? DateTimeOffset.FromUnixTimeSeconds(seconds).ToString("yyyy-MM-dd", CultureInfo.InvariantCulture)
                : $"{seconds} seconds from 1970";
    }

    /// <summary>An owner that a file cannot have here.</summary>
    /// <param name="Uid">The user.</param>
    /// <param name="Gid">The group.</param>
    /// <param name="Errno">EINVAL if the user namespace lacks the number, EPERM if this process may not give files away.</param>
    public sealed record Owner(uint Uid, uint Gid, Errno Errno) : Unheld
    {
        /// <inheritdoc/>
        public override string Fault => Errno == Errno.EPERM
            ? $"this process may not give it to its owner, {Uid}:{Gid}"
            : $"its owner, {Uid}:{Gid}, is not in the user namespace of this process";

        /// <inheritdoc/>
        public override Remedy Remedy => new Remedy.KeepOwnersInTrees();
    }

    /// <summary>A set-id bit that is lost.</summary>
    /// <param name="Gid">The group.</param>
    public sealed record SetId(uint Gid) : Unheld
    {
        /// <inheritdoc/>
        public override string Fault => $"its set-id bit is lost: this process may not set it for group {Gid} (capability CAP_FSETID)";

        /// <inheritdoc/>
        public override Remedy Remedy => new Remedy.KeepOwnersInTrees();
    }
}

/// <summary>An entry has metadata that cannot be restored, so it is not accepted.</summary>
public sealed class UnheldException : StoreException
{
    /// <summary>Makes the exception for an entry.</summary>
    /// <param name="subject">The entry.</param>
    /// <param name="unheld">Its metadata.</param>
    /// <param name="isCommit">Whether the entry is being committed, so that <see cref="Unheld.Remedy"/> helps.</param>
    public UnheldException(string subject, Unheld unheld, bool isCommit)
        : base($"{subject}: {unheld.Fault}", isCommit ? unheld.Remedy : null) => Unheld = unheld;

    /// <summary>The metadata.</summary>
    public Unheld Unheld { get; }
}
