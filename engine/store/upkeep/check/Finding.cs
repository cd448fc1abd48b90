using HackTree.Linux;
using HackTree.Model;

namespace HackTree.Store;

/// <summary>
/// Something that fsck found, as data. The kinds are a closed set, and each has its facts. The program that prints a finding makes its sentence.
/// </summary>
public abstract record Finding
{
    private Finding()
    {
    }

    /// <summary>The file or directory, below the store. Bytes that a line of text cannot show are escaped.</summary>
    public abstract string Path { get; }

    /// <summary>One ref or root that needs the damaged or missing thing; null if none is known.</summary>
    public Need? NeededBy { get; init; }

    /// <summary>A file that does not belong in its directory.</summary>
    /// <param name="Name">The file, below the store, escaped like <see cref="Path"/>.</param>
    /// <param name="Folder">The part of the store that the file is in.</param>
    public sealed record ForeignFile(string Name, StoreFolder Folder) : Finding
    {
        /// <inheritdoc/>
        public override string Path => Name;
    }

    /// <summary>A directory of the store that cannot be listed.</summary>
    /// <param name="Directory">The directory, below the store; "." for the store's own.</param>
    /// <param name="Cause">Why it cannot be listed.</param>
    public sealed record UnreadableDirectory(string Directory, Cause Cause) : Finding
    {
        /// <inheritdoc/>
        public override string Path => Directory;
    }

    /// <summary>An object whose inode differs from the object's name, or from a tree.</summary>
    /// <param name="Object">The object. Its name says what the inode should be.</param>
    /// <param name="Faults">What is wrong.</param>
    /// <param name="Actual">The inode's values.</param>
    /// <param name="ExpectedSize">The size in a tree; null if no needed tree has the object.</param>
    public sealed record DamagedObject(ObjectName Object, ObjectFaults Faults, ObjectFacts Actual, long? ExpectedSize) : Finding
    {
        /// <inheritdoc/>
        public override string Path => $"files/{Object}";
    }

    /// <summary>An object that exists and cannot be read.</summary>
    /// <param name="Object">The object.</param>
    /// <param name="Cause">Why it cannot be read.</param>
    public sealed record UnreadableObject(ObjectName Object, Cause Cause) : Finding
    {
        /// <inheritdoc/>
        public override string Path => $"files/{Object}";
    }

    /// <summary>An object that a tree needs and that does not exist.</summary>
    /// <param name="Object">The object.</param>
    public sealed record MissingObject(ObjectName Object) : Finding
    {
        /// <inheritdoc/>
        public override string Path => $"files/{Object}";
    }

    /// <summary>An object to which trees give two sizes or two sets of attributes. The store can hold only one of them.</summary>
    /// <param name="Object">The object.</param>
    public sealed record DisputedObject(ObjectName Object) : Finding
    {
        /// <inheritdoc/>
        public override string Path => "packs";
    }

    /// <summary>A pack, or something in a pack, that differs from its name or cannot be read.</summary>
    /// <param name="Pack">The digest that names the pack.</param>
    /// <param name="Cause">What is wrong.</param>
    /// <param name="Lost">The number of trees and commits in the damaged block; 0 if no block is damaged.</param>
    public sealed record DamagedPack(Digest Pack, Cause Cause, int Lost = 0) : Finding
    {
        /// <inheritdoc/>
        public override string Path => $"packs/{Pack}.pack";
    }

    /// <summary>A needed tree of which no pack has a readable copy.</summary>
    /// <param name="Tree">The tree.</param>
    /// <param name="Cause">Why the tree cannot be read; null if no pack has it.</param>
    public sealed record LostTree(Digest Tree, Cause? Cause) : Finding
    {
        /// <inheritdoc/>
        public override string Path => "packs";
    }

    /// <summary>A commit of a history, of which no pack has a readable copy.</summary>
    /// <param name="Commit">The commit.</param>
    /// <param name="Cause">Why the commit cannot be read; null if no pack has it.</param>
    public sealed record LostCommit(Digest Commit, Cause? Cause) : Finding
    {
        /// <inheritdoc/>
        public override string Path => "packs";
    }

    /// <summary>A ref or root whose own commit has no readable copy in any pack.</summary>
    /// <param name="Holder">The ref or root.</param>
    /// <param name="Commit">The commit that it names.</param>
    /// <param name="Cause">Why the commit cannot be read; null if no pack has it.</param>
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

    /// <summary>An alias that leads to no ref, or that a ref hides.</summary>
    /// <param name="Alias">The alias.</param>
    /// <param name="Cause">What is wrong.</param>
    public sealed record BrokenAlias(string Alias, Cause Cause) : Finding
    {
        /// <inheritdoc/>
        public override string Path => Aliases.PathOf(Alias);
    }

    /// <summary>A root's record that is damaged or cannot be read.</summary>
    /// <param name="Root">The name of the record.</param>
    /// <param name="Cause">What is wrong.</param>
    public sealed record DamagedRecord(string Root, Cause Cause) : Finding
    {
        /// <inheritdoc/>
        public override string Path => Holder.OfRoot(Root).File;
    }

    /// <summary>An image that differs from its name or cannot be read.</summary>
    /// <param name="Image">The image.</param>
    /// <param name="Cause">What is wrong.</param>
    public sealed record DamagedImage(StoredImage Image, Cause Cause) : Finding
    {
        /// <inheritdoc/>
        public override string Path => Image.Path;
    }

    /// <summary>A root that is an image, whose image is missing, is not that of the root's commit, or cannot be read.</summary>
    /// <param name="Root">The name of the record.</param>
    /// <param name="Place">The absolute path of the image.</param>
    /// <param name="Commit">The root's commit.</param>
    /// <param name="Cause">What is wrong.</param>
    public sealed record DamagedRootImage(string Root, string Place, Digest Commit, Cause Cause) : Finding
    {
        /// <inheritdoc/>
        public override string Path => Holder.OfRoot(Root).File;
    }

    /// <summary>
    /// A damaged inode that was kept when another one took the object's name, or that was put aside. This is no problem of the store: roots may have the
    /// inode. If the object is needed and missing, that is a finding of its own.
    /// </summary>
    /// <param name="Inode">The inode.</param>
    /// <param name="Links">How many other names it has.</param>
    /// <param name="HasObject">Whether something has the object's name now.</param>
    public sealed record KeptDamage(DamagedInode Inode, long Links, bool HasObject) : Finding
    {
        /// <inheritdoc/>
        public override string Path => Inode.Path;
    }

    /// <summary>A root that is being built, or whose building was interrupted. This is no problem: gc cleans up.</summary>
    /// <param name="Root">The name of the record.</param>
    /// <param name="IsInPlace">Whether the record still means the place where the root was being built.</param>
    public sealed record UnfinishedRoot(string Root, bool IsInPlace) : Finding
    {
        /// <inheritdoc/>
        public override string Path => Holder.OfRoot(Root).File;
    }

    /// <summary>A root that has a record and does not exist. This is no problem: its commit is kept as long as the record.</summary>
    /// <param name="Root">The name of the record.</param>
    /// <param name="Place">The absolute path where the root should be.</param>
    /// <param name="IsPinned">Whether the root is pinned.</param>
    /// <param name="IsInPlace">Whether the record still means the place where the root was, so that gc can tell that the root is gone.</param>
    /// <param name="IsImage">Whether the root is an image, which may have been moved.</param>
    public sealed record MissingRoot(string Root, string Place, bool IsPinned, bool IsInPlace, bool IsImage) : Finding
    {
        /// <inheritdoc/>
        public override string Path => Holder.OfRoot(Root).File;
    }
}

/// <summary>The parts of a store in which fsck looks for foreign files.</summary>
public enum StoreFolder
{
    /// <summary>The store's own directory.</summary>
    Top,
    /// <summary>files/, which holds the fan-out directories.</summary>
    Files,
    /// <summary>A fan-out directory, which holds objects.</summary>
    Fanout,
    /// <summary>packs/.</summary>
    Packs,
    /// <summary>refs/ and the directories below it.</summary>
    Refs,
    /// <summary>logs/ and the directories below it.</summary>
    Logs,
    /// <summary>aliases/.</summary>
    Aliases,
    /// <summary>roots/.</summary>
    Roots,
    /// <summary>signatures/.</summary>
    Signatures,
    /// <summary>damaged/.</summary>
    Damaged,
    /// <summary>images/.</summary>
    Images,
}

/// <summary>Why something cannot be relied on.</summary>
public abstract record Cause
{
    private Cause()
    {
    }

    /// <summary>The file of the store that has the cause; null if it is the finding's own file, or no file of the store.</summary>
    public string? Path { get; init; }

    /// <summary>The bytes are wrong.</summary>
    /// <param name="Fault">What is wrong with them.</param>
    /// <param name="Remedy">What to do beyond checking the store; null if there is nothing.</param>
    public sealed record Damage(string Fault, Remedy? Remedy = null) : Cause;

    /// <summary>A system call failed.</summary>
    /// <param name="Errno">The error.</param>
    /// <param name="Call">The call, as in its man page.</param>
    public sealed record FailedCall(Errno Errno, string Call) : Cause;
}
