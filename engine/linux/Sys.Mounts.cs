using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Linux;

/// <summary>The system calls that make a filesystem's mount in steps (fsopen(2), of Linux 5.2), and loop devices.</summary>
public static unsafe partial class Sys
{
    internal const nint OpenFilesystemNumber = 430;
    internal const nint ConfigureFilesystemNumber = 431;
    internal const nint MountFilesystemNumber = 432;
    internal const int OpenFilesystemCloseOnExec = 1;
    internal const int MountFilesystemCloseOnExec = 1;
    internal const int SetFlag = 0;
    internal const int SetString = 1;
    internal const int CreateFilesystem = 6;
    internal const int DetachMount = 2;
    internal const nuint GetFreeLoop = 0x4C82;
    internal const nuint ConfigureLoop = 0x4C0A;
    internal const uint LoopReadOnly = 1;
    internal const uint LoopAutoClear = 4;
    internal const int LoopConfigSize = 304;
    internal const int LoopFlagsOffset = 8 + 52;
    internal const int WriteLease = 1;

    /// <summary>
    /// Makes a mount that is attached nowhere yet, and ends when its handle is closed: fsopen(2), fsconfig(2) and fsmount(2).
    /// </summary>
    /// <param name="type">The filesystem's type.</param>
    /// <param name="isReadOnly">Whether nobody may write to the filesystem.</param>
    /// <param name="options">Its options and "source". The kernel takes at most 255 bytes for each value.</param>
    /// <param name="mount">The mount.</param>
    public static Errno MakeMount(
        ReadOnlySpan<byte> type, bool isReadOnly, IEnumerable<(byte[] Option, byte[] Value)> options, out SafeFileHandle mount)
    {
        mount = new SafeFileHandle(-1, ownsHandle: true);
        var kind = new NativeName(type, stackalloc byte[NativeName.StackBytes]);
        nint opened;
        fixed (byte* k = kind)
        {
            opened = Native.OpenFilesystem(OpenFilesystemNumber, k, OpenFilesystemCloseOnExec);
        }

        if (opened < 0)
        {
            return LastError();
        }

        using var filesystem = new SafeFileHandle(opened, ownsHandle: true);
        Errno errno = isReadOnly ? Configure(filesystem, SetFlag, "ro"u8, default) : Errno.None;
        foreach ((byte[] option, byte[] value) in options)
        {
            errno = errno == Errno.None ? Configure(filesystem, SetString, option, value) : errno;
        }

        if (errno == Errno.None)
        {
            errno = Result((int)Native.ConfigureFilesystem(ConfigureFilesystemNumber, filesystem, CreateFilesystem, null, null, 0));
        }

        if (errno != Errno.None)
        {
            return errno;
        }

        nint made = Native.MountFilesystem(MountFilesystemNumber, filesystem, MountFilesystemCloseOnExec, isReadOnly ? (nint)MountReadOnly : 0);
        if (made < 0)
        {
            return LastError();
        }

        mount.Dispose();
        mount = new SafeFileHandle(made, ownsHandle: true);
        return Errno.None;
    }

    /// <summary>move_mount(2): attaches a mount of <see cref="MakeMount"/> to an open directory.</summary>
    public static Errno AttachMount(SafeFileHandle mount, SafeFileHandle directory)
    {
        byte empty = 0;
        bool held = false;
        try
        {
            directory.DangerousAddRef(ref held);
            return Result((int)Native.MoveMount(
                MoveMountNumber, mount, &empty, directory.DangerousGetHandle(), &empty, MoveMountEmptyPath | MoveMountToEmptyPath));
        }
        finally
        {
            if (held)
            {
                directory.DangerousRelease();
            }
        }
    }

    /// <summary>umount2(2) with MNT_DETACH: the mount is out of sight at once, and ends when nothing uses it.</summary>
    public static Errno Detach(ReadOnlySpan<byte> target)
    {
        var at = new NativeName(target, stackalloc byte[NativeName.StackBytes]);
        fixed (byte* t = at)
        {
            return Result(Native.Unmount(t, DetachMount));
        }
    }

    /// <summary>Makes a loop device of a file, for reading. It goes when the last user closes it: <paramref name="device"/>, or a mount.</summary>
    /// <param name="file">The file.</param>
    /// <param name="device">The device.</param>
    /// <param name="path">The path of the device.</param>
    public static Errno MakeLoop(SafeFileHandle file, out SafeFileHandle device, out byte[] path)
    {
        // Another process may take the free device first.
        const int tries = 20;
        (device, path) = (new SafeFileHandle(-1, ownsHandle: true), []);
        Errno errno = Open(WorkingDirectory, "/dev/loop-control"u8, OpenFlags.ReadWrite, out SafeFileHandle control);
        using (control)
        {
            for (int i = 0; i < tries && errno == Errno.None; i++)
            {
                int number = Native.IoCtl(control, GetFreeLoop, 0);
                if (number < 0)
                {
                    return LastError();
                }

                device.Dispose();
                path = Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"/dev/loop{number}"));
                errno = Open(WorkingDirectory, path, OpenFlags.ReadOnly, out device);
                errno = errno == Errno.None ? SetUpLoop(device, file) : errno;
                if (errno != Errno.EBUSY)
                {
                    return errno;
                }

                errno = i < tries - 1 ? Errno.None : errno;
            }
        }

        return errno;
    }

    /// <summary>
    /// Whether nothing else has an open file open: no process, no loop device and no mount. Asks for a write lease (fcntl(2)), which only the file's
    /// owner or root may take, and only where the filesystem has leases; other answers are the error.
    /// </summary>
    public static Errno IsOpenAlone(SafeFileHandle file)
    {
        Errno errno = Result(Native.Fcntl(file, SetSignal, SignalUrgent));
        errno = errno == Errno.None ? Result(Native.Fcntl(file, SetLease, WriteLease)) : errno;
        return errno == Errno.None ? Result(Native.Fcntl(file, SetLease, NoLease)) : errno;
    }

    private static Errno Configure(SafeFileHandle filesystem, int command, ReadOnlySpan<byte> option, ReadOnlySpan<byte> value)
    {
        var name = new NativeName(option, stackalloc byte[NativeName.StackBytes]);
        var text = new NativeName(value, stackalloc byte[NativeName.StackBytes]);
        fixed (byte* n = name, t = text)
        {
            return Result((int)Native.ConfigureFilesystem(ConfigureFilesystemNumber, filesystem, command, n, command == SetFlag ? null : t, 0));
        }
    }

    private static Errno SetUpLoop(SafeFileHandle device, SafeFileHandle file)
    {
        // struct loop_config: u32 descriptor of the file, u32 block size, then struct loop_info64, of which the flags matter.
        byte* config = stackalloc byte[LoopConfigSize];
        var bytes = new Span<byte>(config, LoopConfigSize);
        bytes.Clear();
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[LoopFlagsOffset..], LoopReadOnly | LoopAutoClear);
        bool held = false;
        try
        {
            file.DangerousAddRef(ref held);
            BinaryPrimitives.WriteUInt32LittleEndian(bytes, (uint)file.DangerousGetHandle());
            return Result(Native.IoCtl(device, ConfigureLoop, (nint)config));
        }
        finally
        {
            if (held)
            {
                file.DangerousRelease();
            }
        }
    }
}
