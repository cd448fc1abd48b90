using System.Runtime.InteropServices;

namespace HackTree.Linux;

/// <summary>
/// Flags of openat(2). O_CLOEXEC is always added, and O_NOCTTY to all but O_PATH. Four of the values differ between x64 and arm64
/// (asm-generic/fcntl.h and arch/arm64/include/uapi/asm/fcntl.h); <see cref="OpenFlagValues"/> has them.
/// </summary>
[Flags]
public enum OpenFlags
{
    /// <summary>Read.</summary>
    ReadOnly = 0,
    /// <summary>Write.</summary>
    WriteOnly = 1,
    /// <summary>Read and write.</summary>
    ReadWrite = 2,
    /// <summary>Create the file if it does not exist.</summary>
    Create = 1 << 8,
    /// <summary>With <see cref="Create"/>: fail with EEXIST if the name exists.</summary>
    Exclusive = 1 << 9,
    /// <summary>Cut the file to length zero.</summary>
    Truncate = 1 << 10,
    /// <summary>Each write goes to the end.</summary>
    Append = 1 << 11,
    /// <summary>Do not wait for the other end of a fifo.</summary>
    NonBlocking = 1 << 12,
    /// <summary>Fail with ENOTDIR unless it is a directory.</summary>
    Directory = 1 << 13,
    /// <summary>Fail with ELOOP if the last component is a symbolic link.</summary>
    NoFollow = 1 << 14,
    /// <summary>Open only the place in the tree; the file itself can be neither read nor written (O_PATH).</summary>
    Path = 1 << 15,
    /// <summary>A file without a name in the given directory (O_TMPFILE).</summary>
    Temporary = 1 << 16,
    /// <summary>Do not update the access time. The kernel refuses this with EPERM for files of other users.</summary>
    NoAccessTime = 1 << 17,
}

/// <summary>The kernel's values of <see cref="OpenFlags"/> on this processor.</summary>
internal static class OpenFlagValues
{
    private static readonly bool Arm = RuntimeInformation.ProcessArchitecture == Architecture.Arm64;

    internal static readonly int Directory = Arm ? 0x4000 : 0x10000;
    internal static readonly int NoFollow = Arm ? 0x8000 : 0x20000;
    internal static readonly int Temporary = 0x400000 | Directory;
    internal const int Path = 0x200000;
    internal const int CloseOnExec = 0x80000;
    internal const int NoControllingTerminal = 0x100;
    internal const int Create = 0x40;
    internal const int Exclusive = 0x80;
    internal const int Truncate = 0x200;
    internal const int Append = 0x400;
    internal const int NonBlocking = 0x800;
    internal const int NoAccessTime = 0x40000;

    internal static int Of(OpenFlags flags)
    {
        // openat2(2) refuses O_PATH together with flags that O_PATH does not use.
        bool isPath = flags.HasFlag(OpenFlags.Path);
        int value = ((int)flags & 3) | CloseOnExec | (isPath ? Path : NoControllingTerminal);
        value |= flags.HasFlag(OpenFlags.Create) ? Create : 0;
        value |= flags.HasFlag(OpenFlags.Exclusive) ? Exclusive : 0;
        value |= flags.HasFlag(OpenFlags.Truncate) ? Truncate : 0;
        value |= flags.HasFlag(OpenFlags.Append) ? Append : 0;
        value |= flags.HasFlag(OpenFlags.NonBlocking) ? NonBlocking : 0;
        value |= flags.HasFlag(OpenFlags.Directory) ? Directory : 0;
        value |= flags.HasFlag(OpenFlags.NoFollow) ? NoFollow : 0;
        value |= flags.HasFlag(OpenFlags.Temporary) ? Temporary : 0;
        value |= flags.HasFlag(OpenFlags.NoAccessTime) ? NoAccessTime : 0;
        return value;
    }
}
