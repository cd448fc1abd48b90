namespace HackTree.Model;

/// <summary>The metadata of an inode, except extended attributes.</summary>
/// <param name="Mode">The 12 permission bits (rwx for user, group and others, set-uid, set-gid, sticky).</param>
/// <param name="Uid">Owner.</param>
/// <param name="Gid">Group.</param>
/// <param name="ModifyTime">Seconds since 1970, negative before. Always zero in a store that keeps no times.</param>
public readonly record struct FileMetadata(ushort Mode, uint Uid, uint Gid, long ModifyTime)
{
    /// <summary>All 12 permission bits.</summary>
    public const ushort ModeMask = 0xFFF;

    /// <summary>The uid and gid that no user or group has. chown(2) takes the number as "leave unchanged".</summary>
    public const uint NoOwner = uint.MaxValue;

    /// <summary>The mode every symbolic link has on Linux.</summary>
    public const ushort SymlinkMode = 0x1FF;
}
