using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Linux;

/// <summary>kexec_file_load(2): the running kernel gets another one ready, and starts it in the place of the firmware at the next restart by kexec.</summary>
public static unsafe partial class Sys
{
    internal const nint KexecUnload = 1;

    internal static readonly nint KexecFileLoadNumber = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 294 : 320;

    private static readonly SafeFileHandle NoFile = new(-1, ownsHandle: false);

    /// <summary>Loads a kernel. Both files must be open for reading alone, by this process and by all others.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="initrd">Its initrd.</param>
    /// <param name="commandLine">Its command line.</param>
    public static Errno LoadKernel(SafeFileHandle kernel, SafeFileHandle initrd, ReadOnlySpan<byte> commandLine)
    {
        byte[] line = [.. commandLine, 0];
        fixed (byte* pLine = line)
        {
            return Result((int)Native.KexecFileLoad(KexecFileLoadNumber, kernel, initrd, line.Length, pLine, 0));
        }
    }

    /// <summary>
    /// Whether a kernel can be loaded, as far as that does not depend on the kernel: EBADF if so, EPERM if it is forbidden, ENOSYS if the running kernel
    /// cannot do it. Changes nothing, because it names no file.
    /// </summary>
    public static Errno TryLoadNoKernel() => Result((int)Native.KexecFileLoad(KexecFileLoadNumber, NoFile, NoFile, 0, null, 0));

    /// <summary>Forgets the kernel that was loaded.</summary>
    public static Errno UnloadKernel() => Result((int)Native.KexecFileLoad(KexecFileLoadNumber, NoFile, NoFile, 0, null, KexecUnload));
}
