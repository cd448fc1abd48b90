namespace HackTree.Store;

/// <summary>
/// What the user can do about a failure, as data: a closed set of cases, each with what its sentence needs. The library knows no command line; the
/// program writes the sentence.
/// </summary>
public abstract record Remedy
{
    private Remedy()
    {
    }

    /// <summary>Check the whole store: something in it is damaged or missing.</summary>
    public sealed record CheckStore : Remedy;

    /// <summary>See what else is damaged, and commit a good copy of the file, which takes the place of a damaged object.</summary>
    public sealed record HealObject : Remedy;

    /// <summary>Make a store, or name another one.</summary>
    /// <param name="Path">Where a store was looked for.</param>
    public sealed record MakeStore(string Path) : Remedy;

    /// <summary>Make a store that keeps no owners and no devices, which needs no root.</summary>
    public sealed record MakeUserStore : Remedy;

    /// <summary>Write as root, or to a store that keeps no owners and no devices.</summary>
    public sealed record WriteAsRoot : Remedy;

    /// <summary>Bring a file or directory back from a copy of the store.</summary>
    public sealed record RestoreFromCopy : Remedy;

    /// <summary>Bring the store's format file back from a copy, or from a store made with the same options.</summary>
    public sealed record RestoreFormat : Remedy;

    /// <summary>Use a newer version of this program.</summary>
    public sealed record UseNewerProgram : Remedy;

    /// <summary>Make an empty file in the place of the missing one, which holds nothing.</summary>
    /// <param name="Path">The missing file.</param>
    public sealed record MakeFile(string Path) : Remedy;

    /// <summary>Make an empty directory in the place of the missing one, which holds nothing that must last.</summary>
    /// <param name="Path">The missing directory.</param>
    /// <param name="IsPrivate">Whether only the owner may look into it.</param>
    public sealed record MakeDirectory(string Path, bool IsPrivate) : Remedy;

    /// <summary>Free some space on the filesystem, and try again.</summary>
    public sealed record FreeSpace : Remedy;

    /// <summary>Move a file or directory away that does not belong where it is.</summary>
    /// <param name="Path">The file or directory.</param>
    /// <param name="IsDirectory">Whether it is a directory.</param>
    public sealed record MoveAway(string Path, bool IsDirectory = false) : Remedy;

    /// <summary>Commit a tree that nobody writes to meanwhile.</summary>
    public sealed record LeaveTreeAlone : Remedy;

    /// <summary>Commit without an attribute.</summary>
    /// <param name="Name">The attribute, as people may see it; null for as many as are too many.</param>
    public sealed record LeaveOutXattr(string? Name) : Remedy;

    /// <summary>Commit with the nearest time that the filesystem holds.</summary>
    public sealed record ClampTimes : Remedy;

    /// <summary>Work as a user who may do it, or with a store that has owners in its trees only.</summary>
    public sealed record KeepOwnersInTrees : Remedy;

    /// <summary>Decompress an archive before it is committed.</summary>
    /// <param name="Program">The program that decompresses it: "zstd".</param>
    public sealed record Decompress(string Program) : Remedy;

    /// <summary>See which refs there are.</summary>
    public sealed record ListRefs : Remedy;

    /// <summary>Set a damaged ref anew.</summary>
    /// <param name="Log">The file that tells where the ref has been.</param>
    public sealed record SetRef(string Log) : Remedy;

    /// <summary>Keep a ref's commit elsewhere or by another ref, and then take another commit.</summary>
    /// <param name="Ref">The ref.</param>
    public sealed record KeepCommit(string Ref) : Remedy;

    /// <summary>Give an alias a ref again, or delete the alias.</summary>
    public sealed record SetAlias : Remedy;

    /// <summary>Find out why a commit is not in the store: gc may have cut the history, or something is damaged.</summary>
    public sealed record LookIntoHistory : Remedy;

    /// <summary>See what is in a commit's tree.</summary>
    /// <param name="Revision">The commit, as the user named it.</param>
    public sealed record ListTree(string Revision) : Remedy;

    /// <summary>Make the running root writable until the next boot.</summary>
    public sealed record Unlock : Remedy;

    /// <summary>See which roots there are.</summary>
    public sealed record ListRoots : Remedy;

    /// <summary>Say of the running root that it is good, or go back to another.</summary>
    public sealed record EndTrial : Remedy;

    /// <summary>Make another root the one that boots.</summary>
    public sealed record BootAnother : Remedy;

    /// <summary>Remove a root.</summary>
    public sealed record RemoveRoot : Remedy;

    /// <summary>Unpin a root, so that it can be replaced.</summary>
    /// <param name="Path">The root's path, as its record has it.</param>
    public sealed record UnpinRoot(string Path) : Remedy;

    /// <summary>Drop the record of a root that is not there.</summary>
    public sealed record DropRecord : Remedy;

    /// <summary>Remove by hand the directory that stands in a root's place, then drop the record.</summary>
    public sealed record RemoveByHand : Remedy;

    /// <summary>Remove a damaged record, and check the root out again.</summary>
    public sealed record ReplaceRecord : Remedy;

    /// <summary>Check a root out again that is gone.</summary>
    /// <param name="Revision">The commit, as the user named it.</param>
    /// <param name="Path">Where the root was.</param>
    public sealed record CheckOutAgain(string Revision, string Path) : Remedy;

    /// <summary>Clear an attribute for which a file cannot be changed.</summary>
    /// <param name="Attribute">Its letter in lsattr(1) and chattr(1).</param>
    /// <param name="Path">The file.</param>
    public sealed record ClearAttribute(char Attribute, string Path) : Remedy;

    /// <summary>Name each root that is to be removed.</summary>
    public sealed record NameRoots : Remedy;

    /// <summary>Fetch what a store does not have yet of a remote that it was cloned from.</summary>
    /// <param name="Store">The path of the store, as the user named it.</param>
    /// <param name="Remote">The remote's name.</param>
    public sealed record FetchRest(string Store, string Remote) : Remedy;

    /// <summary>Collect what is left.</summary>
    public sealed record CollectGarbage : Remedy;

    /// <summary>Do one thing, then another.</summary>
    /// <param name="First">What comes first.</param>
    /// <param name="Second">What comes after it.</param>
    public sealed record Both(Remedy First, Remedy Second) : Remedy;
}
