using HackTree.Linux;
using HackTree.Model;

namespace HackTree.Store;

/// <summary>The ways in which an object's inode differs from the object's name.</summary>
[Flags]
public enum ObjectFaults
{
    /// <summary>No fault: the object is right.</summary>
    None = 0,
    /// <summary>The inode is not a regular file. Then nothing else was compared.</summary>
    Type = 1,
    /// <summary>The permission bits differ.</summary>
    Mode = 2,
    /// <summary>The owner or the group differs.</summary>
    Owner = 4,
    /// <summary>The modification time differs.</summary>
    Time = 8,
    /// <summary>The extended attributes differ.</summary>
    Attributes = 16,
    /// <summary>The size differs from the size in a tree.</summary>
    Size = 32,
    /// <summary>The content differs.</summary>
    Content = 64,
    /// <summary>The store requires fs-verity, and the inode has none, or has it with other parameters.</summary>
    Verity = 128,
}

/// <summary>The facts about an object's inode that can be compared with the object's name, and its size.</summary>
/// <param name="Type">The type of file.</param>
/// <param name="Mode">The permission bits.</param>
/// <param name="Uid">The owner.</param>
/// <param name="Gid">The group.</param>
/// <param name="ModifyTime">The modification time.</param>
/// <param name="Size">Bytes of content.</param>
/// <param name="Content">The digest of the content; none if the inode is not a regular file.</param>
public readonly record struct ObjectFacts(FileType Type, ushort Mode, uint Uid, uint Gid, FileTime ModifyTime, long Size, Digest Content);
