namespace HackTree.Model;

/// <summary>The kind of a tree entry. The numbers are those of the format.</summary>
public enum EntryKind : byte
{
    /// <summary>No entry.</summary>
    None = 0,
    /// <summary>A regular file: size and blob digest.</summary>
    Regular = 1,
    /// <summary>A directory: tree digest.</summary>
    Directory = 2,
    /// <summary>A symbolic link: target.</summary>
    Symlink = 3,
    /// <summary>A character device: major and minor number.</summary>
    CharacterDevice = 4,
    /// <summary>A block device: major and minor number.</summary>
    BlockDevice = 5,
    /// <summary>A named pipe.</summary>
    Fifo = 6,
}
