namespace HackTree.Linux;

/// <summary>Permission bits (chmod(2)) under the names of their use. C# has no octal numbers; each comment gives the one that ls and chmod show.</summary>
public static class FileModes
{
    /// <summary>0700: only the owner may read, write, enter or run it.</summary>
    public const ushort OwnerOnly = 0x1C0;

    /// <summary>0755: a directory that everybody may read.</summary>
    public const ushort PublicDirectory = 0x1ED;

    /// <summary>0600: a file that only its owner may read.</summary>
    public const ushort PrivateFile = 0x180;

    /// <summary>0644: a file that everybody may read and its owner may write.</summary>
    public const ushort PublicFile = 0x1A4;

    /// <summary>0755: a program that everybody may run.</summary>
    public const ushort Program = 0x1ED;

    /// <summary>0444: a file that never changes.</summary>
    public const ushort ReadOnlyFile = 0x124;

    /// <summary>0400: the owner may read.</summary>
    public const ushort OwnerMayRead = 0x100;

    /// <summary>0666: what a new file gets before the process's umask takes bits away.</summary>
    public const ushort NewFile = 0x1B6;

    /// <summary>0777: the nine bits that a umask works on.</summary>
    public const ushort Permissions = 0x1FF;

    /// <summary>02000: a program runs with the file's group; what is made in a directory gets the directory's group.</summary>
    public const ushort SetGroupId = 0x400;

    /// <summary>06000: set-uid and set-gid.</summary>
    public const ushort SetIds = 0xC00;

    /// <summary>07777: the nine and set-uid, set-gid, sticky.</summary>
    public const ushort AllBits = 0xFFF;
}
