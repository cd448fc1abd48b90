using HackTree.Linux;
using HackTree.Model;

namespace HackTree.Store;

/// <summary>
/// Something that fsck found, as data: a closed set of kinds, each with the facts that it has. Whoever prints a finding makes its sentence.
/// </summary>
public abstract record Finding
{
    private Finding()
    {
    }

    /// <summary>The file or directory, below the store; what no line of text can show is escaped.</summary>
    public abstract string Path { get; }

    /// <summary>One ref or root that needs what is damaged or missing; null where none is known.</summary>
    public Need? NeededBy { get; init; }

    /// <summary>A file that has no business where it is.</summary>
    /// <param name="Name">The file, below the store; escaped as <see cref="Path"/> is.</param>
    /// <param name="Folder">The part of the store that the file is in.</param>
    public sealed record ForeignFile(string Name, StoreFolder Folder) : Finding
    {
        /// <inheritdoc/>
        public override string Path => Name;
    }

    /// <summary>A directory of the store that cannot be listed.</summary>
    /// <param name="Directory">The directory, below the store; "." for the store's own.</param>
    /// <param name="Cause">Why not.</param>
    public sealed record UnreadableDirectory(string Directory, Cause Cause) : Finding
    {
        /// <inheritdoc/>
        public override string Path => Directory;
    }

    /// <summary>An object whose inode is not what the object's name, or a tree, says.</summary>
    /// <param name="Object">The object. Its name says what the inode should be.</param>
    /// <param name="Faults">What is wrong.</param>
    /// <param name="Actual">What the inode is.</param>
    /// <param name="ExpectedSize">The size that a tree gives the object; null where no tree that is needed has it.</param>
    public sealed record DamagedObject(ObjectName Object, ObjectFaults Faults, ObjectFacts Actual, long? ExpectedSize) : Finding
    {
        /// <inheritdoc/>
        public override string Path => $"files/{Object}";
    }

    /// <summary>An object that is there and cannot be read.</summary>
    /// <param name="Object">The object.</param>
    /// <param name="Cause">Why not.</param>
    public sealed record UnreadableObject(ObjectName Object, Cause Cause) : Finding
    {
        /// <inheritdoc/>
        public override string Path => $"files/{Object}";
    }

    /// <summary>An object that a tree needs and that is not there.</summary>
    /// <param name="Object">The object.</param>
    public sealed record MissingObject(ObjectName Object) : Finding
    {
        /// <inheritdoc/>
        public override string Path => $"files/{Object}";
    }

    /// <summary>An object to which trees give two sizes or two sets of attributes. The store can hold one of them.</summary>
    /// <param name="Object">The object.</param>
    public sealed record DisputedObject(ObjectName Object) : Finding
    {
        /// <inheritdoc/>
        public override string Path => "packs";
    }

    /// <summary>A pack, or something in a pack, that is not what its name says or cannot be read.</summary>
    /// <param name="Pack">The digest that names the pack.</param>
    /// <param name="Cause">What is wrong.</param>
    /// <param name="Lost">How many trees and commits are in the damaged block; 0 where no block is damaged.</param>
    public sealed record DamagedPack(Digest Pack, Cause Cause, int Lost = 0) : Finding
    {
        /// <inheritdoc/>
        public override string Path => $"packs/{Pack}.pack";
    }

    /// <summary>A tree that is needed, and that no pack holds in a readable copy.</summary>
    /// <param name="Tree">The tree.</param>
    /// <param name="Cause">Why the tree cannot be read; null where no pack has it.</param>
    public sealed record LostTree(Digest Tree, Cause? Cause) : Finding
    {
        /// <inheritdoc/>
        public override string Path => "packs";
    }

    /// <summary>A commit of a history that no pack holds in a readable copy.</summary>
    /// <param name="Commit">The commit.</param>
    /// <param name="Cause">Why the commit cannot be read; null where no pack has it.</param>
    public sealed record LostCommit(Digest Commit, Cause? Cause) : Finding
    {
        /// <inheritdoc/>
        public override string Path => "packs";
    }

    /// <summary>A ref or root whose own commit no pack holds in a readable copy.</summary>
    /// <param name="Holder">The ref or root.</param>
    /// <param name="Commit">The commit that it names.</param>
    /// <param name="Cause">Why the commit cannot be read; null where no pack has it.</param>
    public sealed record LostTip(Holder Holder, Digest Commit, Cause? Cause) : Finding
    {
        /// <inheritdoc/>
        public override string Path => Holder.File;
    }

    /// <summary>A ref whose file is damaged or cannot be read.</summary>
    /// <param name="Ref">The ref.</param>
    /// <param name="Cause">What is wrong.</param>
    public sealed record DamagedRef(string Ref, Cause Cause) : Finding
    {
        /// <inheritdoc/>
        public override string Path => Holder.OfRef(Ref).File;
    }

    /// <summary>A root's record that is damaged or cannot be read.</summary>
    /// <param name="Root">The name of the record.</param>
    /// <param name="Cause">What is wrong.</param>
    public sealed record DamagedRecord(string Root, Cause Cause) : Finding
    {
        /// <inheritdoc/>
        public override string Path => Holder.OfRoot(Root).File;
    }

    /// <summary>A root that is being built, or whose building was interrupted. No problem: gc cleans up.</summary>
    /// <param name="Root">The name of the record.</param>
    /// <param name="IsInPlace">Whether the record still means the place where the root was being built.</param>
    public sealed record UnfinishedRoot(string Root, bool IsInPlace) : Finding
    {
        /// <inheritdoc/>
        public override string Path => Holder.OfRoot(Root).File;
    }

    /// <summary>A root that is recorded and not there. No problem: its commit is kept until the record goes.</summary>
    /// <param name="Root">The name of the record.</param>
    /// <param name="Place">Where the root should be, an absolute path.</param>
    /// <param name="IsPinned">Whether the root is pinned.</param>
    /// <param name="IsInPlace">Whether the record still means the place where the root was, so that gc can tell that the root is gone.</param>
    public sealed record MissingRoot(string Root, string Place, bool IsPinned, bool IsInPlace) : Finding
    {
        /// <inheritdoc/>
        public override string Path => Holder.OfRoot(Root).File;
    }
}

/// <summary>The parts of a store that fsck looks for foreign files in.</summary>
public enum StoreFolder
{
    /// <summary>The store's own directory.</summary>
    Top,
    /// <summary>files/, which has the fan-out directories.</summary>
    Files,
    /// <summary>One of the fan-out directories, which have the objects.</summary>
    Fanout,
    /// <summary>packs/.</summary>
    Packs,
    /// <summary>refs/ and what is below it.</summary>
    Refs,
    /// <summary>roots/.</summary>
    Roots,
}

/// <summary>Why something cannot be relied on.</summary>
public abstract record Cause
{
    private Cause()
    {
    }

    /// <summary>The file below the store in which the cause lies; null where that is the finding's own file, or no file of the store.</summary>
    public string? Path { get; init; }

    /// <summary>The bytes are not what they must be.</summary>
    /// <param name="Fault">What is wrong with them.</param>
    /// <param name="Remedy">What to do, where there is more to do than to check the store.</param>
    public sealed record Damage(string Fault, Remedy? Remedy = null) : Cause;

    /// <summary>A system call failed.</summary>
    /// <param name="Errno">How it failed.</param>
    /// <param name="Call">The call, as in its man page.</param>
    public sealed record FailedCall(Errno Errno, string Call) : Cause;
}
