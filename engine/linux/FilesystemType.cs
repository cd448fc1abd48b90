namespace HackTree.Linux;

/// <summary>Kinds of filesystem that behave in ways we must know of: the magic numbers of linux/magic.h, as statfs(2) answers them.</summary>
public enum FilesystemType : long
{
    /// <summary>None of those below has this number.</summary>
    Unknown = 0,
    /// <summary>ext4; ext2 and ext3 have the same number.</summary>
    Ext4 = 0xEF53,
    /// <summary>XFS.</summary>
    Xfs = 0x58465342,
    /// <summary>A filesystem in memory.</summary>
    Tmpfs = 0x01021994,
}
