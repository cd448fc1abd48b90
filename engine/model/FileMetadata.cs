namespace HackTree.Model;

/// <summary>
/// What an inode carries beside content and extended attributes.
/// </summary>
/// <param name="Mode">The 12 permission bits (rwx for three, set-uid, set-gid, sticky).</param>
/// <param name="Uid">Owner.</param>
/// <param name="Gid">Group.</param>
/// <param name="ModifyTime">Seconds since 1970, negative before; zero throughout where the store keeps no times.</param>
public readonly record struct FileMetadata(ushort Mode, uint Uid, uint Gid, long ModifyTime)
{
    /// <summary>All 12 permission bits.</summary>
    public const ushort ModeMask = 0xFFF;

    /// <summary>The uid and gid that nobody has: to chown(2) it means "leave it as it is".</summary>
    public const uint NoOwner = uint.MaxValue;

    /// <summary>The mode every symbolic link has on Linux.</summary>
    public const ushort SymlinkMode = 0x1FF;
}
