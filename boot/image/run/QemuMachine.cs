using System.Diagnostics;
using HackTree.Checkout;
using HackTree.Store;

namespace HackTree.Boot;

/// <summary>Boots an image in QEMU, with the machine's serial port on the terminal.</summary>
public static class QemuMachine
{
    private const string Firmware = "/usr/share/OVMF/OVMF_CODE_4M.fd";
    private const string Variables = "/usr/share/OVMF/OVMF_VARS_4M.fd";

    // Process cannot wait longer than 24 days.
    private static readonly TimeSpan LongestWait = TimeSpan.FromMilliseconds(int.MaxValue);

    private static readonly Tool Emulator = new("qemu-system-x86_64", "qemu-system-x86");

    /// <summary>
    /// Runs a machine until it is switched off. Returns QEMU's exit code. <paramref name="stop"/> ends it. Throws
    /// <see cref="StoreException"/> if it was still up at the end of <paramref name="limit"/>.
    /// </summary>
    public static int Run(QemuRequest request, TimeSpan? limit, CancellationToken stop)
    {
        string program = Emulator.Path;
        DiskFormat format = DiskFormats.OfContent(request.Image);
        using ImageLock held = ImageLock.Take(request.Image);
        RequireBootable(request, format);
        using Process process = ProgramRun.Start(new ProcessStartInfo(program, Arguments(request, format, IsKvmUsable())));
        using CancellationTokenRegistration killing = stop.Register(process.Kill);
        request.OnStart?.Invoke();
        if (!process.WaitForExit(limit is { } some && some < LongestWait ? some : Timeout.InfiniteTimeSpan))
        {
            process.Kill();
            process.WaitForExit();
            throw new StoreException(
                $"{request.Image}: the machine was still up after {limit!.Value.TotalSeconds} s, and was switched off; "
                + "give it more time with --timeout");
        }

        stop.ThrowIfCancellationRequested();
        return process.ExitCode;
    }

    /// <summary>Throws <see cref="StoreException"/> for a disk that the machine's firmware cannot boot. Of a qcow2 that is not known here.</summary>
    private static void RequireBootable(QemuRequest request, DiskFormat format)
    {
        if (request.Kernel is not null || request.Uefi || format != DiskFormat.Raw)
        {
            return;
        }

        byte[] sector = new byte[PartitionTable.SectorSize];
        using FileStream disk = DiskFormats.OpenToRead(request.Image);
        bool isWhole = disk.ReadAtLeast(sector, sector.Length, throwOnEndOfStream: false) == sector.Length && sector[510] == 0x55 && sector[511] == 0xAA;
        if (!isWhole || !sector.AsSpan(0, PartitionTable.BootCodeSize).ContainsAnyExcept((byte)0))
        {
            throw new StoreException(
                $"{request.Image}: its first sector has no boot code, so no BIOS can boot it; "
                + "give --uefi for a disk that boots by UEFI, or --kernel and --initrd");
        }
    }

    /// <summary>QEMU's command line.</summary>
    internal static List<string> Arguments(QemuRequest request, DiskFormat format, bool hasKvm)
    {
        string options = $"format={DiskFormats.NameOf(format)},if=virtio,discard=unmap";
        string snapshot = request.Snapshot ? ",snapshot=on" : "";
        List<string> arguments =
        [
            "-name", "hacktree", "-accel", hasKvm ? "kvm" : "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", $"{request.Megabytes}",
            "-nographic", .. request.NoReboot ? ["-no-reboot"] : (string[])[],
            "-drive", $"file={Escape(request.Image)},{options}{snapshot}",
        ];
        if (request.Report is not null)
        {
            // Naming a serial port takes the place of the default, so the first one is named too.
            arguments.AddRange(["-serial", "mon:stdio", "-serial", $"file:{request.Report}"]);
        }

        if (request.Uefi)
        {
            RequireFirmware();
            arguments.AddRange(["-drive", $"if=pflash,unit=0,format=raw,readonly=on,file={Firmware}"]);
            arguments.AddRange(["-drive", $"if=pflash,unit=1,format=raw,snapshot=on,file={Variables}"]);
        }

        if (request.Kernel is not null)
        {
            string subroot = request.Subroot is null ? "" : $" subroot={request.Subroot}";
            arguments.AddRange(["-kernel", request.Kernel, "-append", $"console=ttyS0{subroot} {request.Append}".TrimEnd()]);
            if (request.Initrd is not null)
            {
                arguments.AddRange(["-initrd", request.Initrd]);
            }
        }
        else if (request.Subroot is not null || request.Append.Length > 0)
        {
            if (request.Uefi)
            {
                throw new StoreException(
                    "systemd-boot takes no choice from outside: choose in its menu (a key stops the countdown, e edits), "
                    + "or give --kernel and --initrd");
            }

            if (request.Subroot is { Length: > 0 } root && char.IsAsciiDigit(root[0]))
            {
                throw new StoreException(
                    $"--subroot {root}: GRUB takes what begins with a digit for the number of a menu entry; "
                    + "give --kernel and --initrd, or a root with another name");
            }

            arguments.AddRange(["-smbios", $"type=11,value={Escape(GrubMenu.SmbiosText(request.Subroot, request.Append))}"]);
        }

        return arguments;
    }

    /// <summary>
    /// Tries whether KVM works. Inside another virtual machine /dev/kvm may exist although QEMU ends as soon as it starts a processor.
    /// </summary>
    private static bool IsKvmUsable()
    {
        string[] arguments = ["-accel", "kvm", "-cpu", "max", "-S", "-display", "none", "-nodefaults", "-monitor", "stdio"];
        return File.Exists("/dev/kvm") && Emulator.TryRun(arguments, input: "quit\n").Succeeded;
    }

    private static void RequireFirmware()
    {
        if (!File.Exists(Firmware) || !File.Exists(Variables))
        {
            throw new StoreException($"{Firmware} is not there; install the package ovmf (apt install ovmf)");
        }
    }

    /// <summary>Escapes a value of QEMU's option lists: a comma ends a value, and two commas stand for one.</summary>
    private static string Escape(string value) => value.Replace(",", ",,", StringComparison.Ordinal);
}
