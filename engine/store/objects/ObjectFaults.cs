using HackTree.Linux;
using HackTree.Model;

namespace HackTree.Store;

/// <summary>In which ways an object's inode is not what the object's name says.</summary>
[Flags]
public enum ObjectFaults
{
    /// <summary>None: the object is right.</summary>
    None = 0,
    /// <summary>It is not a regular file. Then nothing else was looked at.</summary>
    Type = 1,
    /// <summary>Its permission bits.</summary>
    Mode = 2,
    /// <summary>Its owner or group.</summary>
    Owner = 4,
    /// <summary>Its modification time.</summary>
    Time = 8,
    /// <summary>Its extended attributes.</summary>
    Attributes = 16,
    /// <summary>Its size: a tree gives another one.</summary>
    Size = 32,
    /// <summary>Its content.</summary>
    Content = 64,
}

/// <summary>What an object's inode is, as far as its name tells what it should be.</summary>
/// <param name="Type">The type of file.</param>
/// <param name="Mode">The permission bits.</param>
/// <param name="Uid">The owner.</param>
/// <param name="Gid">The group.</param>
/// <param name="ModifyTime">The modification time.</param>
/// <param name="Size">Bytes of content.</param>
/// <param name="Content">The digest of the content; none where it is not a regular file.</param>
public readonly record struct ObjectFacts(FileType Type, ushort Mode, uint Uid, uint Gid, FileTime ModifyTime, long Size, Digest Content);
