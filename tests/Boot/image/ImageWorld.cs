using HackTree.Tests.Crash;
using HackTree.Tests.Support;
using HackTree.Tests.Tidy;

namespace HackTree.Tests.Boot;

/// <summary>
/// A directory for images, and a Debian tree with a unit that reports facts on the second serial port and switches the machine off.
/// </summary>
internal sealed class ImageWorld : IDisposable
{
    private const string CheckUnit =
        """
        [Unit]
        Description=checks of an image test

        [Service]
        ExecStart=/bin/sh /usr/lib/check.sh

        [Install]
        WantedBy=multi-user.target
        """;

    private const string CheckScript =
        Qemu.ScriptHead +
        """
        say state "$(systemctl is-system-running --wait)"
        say failed "$(systemctl --failed --plain --no-legend)"
        say root "$(findmnt -n -o SOURCE,VFS-OPTIONS /)"
        for f in /home /var /var/log /var/lib/dpkg; do say $f "$(findmnt -n -o SOURCE,VFS-OPTIONS $f)"; done
        say commandline "$(cat /proc/cmdline)"
        say firmware "$([ -d /sys/firmware/efi ] && echo uefi || echo bios)"
        say sysroot "$(ls /sysroot | tr '\n' ' ')"
        say packages "$(dpkg-query -W systemd | cut -f 1)"
        for f in /usr/written /etc/written /var/written /home/written /boot/written; do
            if touch $f; then say $f yes; else say $f no; fi
        done
        say said "$(dmesg | grep -o 'hacktree: .*')"
        say end reached
        systemctl poweroff
        """;

    /// <summary>Options of QEMU for a machine with UEFI.</summary>
    public static readonly string[] Firmware =
    [
        "-drive", $"if=pflash,unit=0,format=raw,readonly=on,file={FirmwareFile}",
        "-drive", "if=pflash,unit=1,format=raw,snapshot=on,file=/usr/share/OVMF/OVMF_VARS_4M.fd",
    ];

    private const string FirmwareFile = "/usr/share/OVMF/OVMF_CODE_4M.fd";

    private readonly TempDirectory directory = new();

    public string At(string name) => directory.At(name);

    /// <summary>Makes the Debian tree and returns its path.</summary>
    public string MakeTree()
    {
        string tree = At("tree");
        Tools.Run("cp", "-a", "--reflink=auto", BootRoot.Path, tree).Succeeded();
        File.WriteAllText(Path.Combine(tree, "etc/systemd/system/check.service"), CheckUnit);
        Directory.CreateDirectory(Path.Combine(tree, "etc/systemd/system/multi-user.target.wants"));
        File.CreateSymbolicLink(Path.Combine(tree, "etc/systemd/system/multi-user.target.wants/check.service"), "../check.service");
        File.WriteAllText(Path.Combine(tree, "usr/lib/check.sh"), CheckScript);
        return tree;
    }

    /// <summary>Makes the Debian tree with the program in it, and with another script for its check if one is given.</summary>
    public string MakeTreeWithProgram(string? checkScript = null)
    {
        string tree = MakeTree();
        File.Copy(Hacktree.Path, Path.Combine(tree, "usr/bin/hacktree"));
        if (checkScript is not null)
        {
            File.WriteAllText(Path.Combine(tree, "usr/lib/check.sh"), checkScript);
        }

        return tree;
    }

    /// <summary>Makes a disk with the root r0 of a tree, and room for more. Answers its path.</summary>
    public string MakeDisk(string tree, params string[] more)
    {
        string disk = At("disk.img");
        Image(["create", "--tree", tree, "-o", disk, "--roots", "r0", "--size", "3G", "--menu", "1", .. more]).Succeeded();
        return disk;
    }

    /// <summary>A small tree that can become an image but cannot boot.</summary>
    public string MakeSmallTree()
    {
        string script =
            $"""
            set -e; mkdir -p {At("small")}; cd {At("small")}
            mkdir -p boot etc home usr/bin usr/sbin usr/share/initramfs-tools var/lib/dpkg var/log boot/grub
            echo init > usr/share/initramfs-tools/init
            ln -s usr/sbin sbin; ln -s usr/bin bin
            echo kernel > boot/vmlinuz-6.1.0-9-test; echo test > boot/vmlinuz-6.1.0-10-test
            mkdir -p made/scripts && (cd made && echo init > init && touch scripts/functions && find . | cpio -o -H newc --quiet) | gzip > boot/initrd.img-6.1.0-10-test; rm -r made
            cp boot/initrd.img-6.1.0-10-test boot/initrd.img-6.1.0-9-test
            echo 12.5 > etc/debian_version; echo root:x:0:0::/: > etc/passwd; echo x > usr/bin/x; chmod 755 usr/bin/x; ln usr/bin/x usr/bin/y
            echo init > usr/sbin/init; chmod 755 usr/sbin/init; echo status > var/lib/dpkg/status; echo log > var/log/log; touch "$(printf 'odd\377name')"
            printf 'ID=debian\nVERSION_CODENAME=bookworm\n' > usr/lib-release; mkdir usr/lib; mv usr/lib-release usr/lib/os-release
            """;
        Tools.Run("bash", "-c", script).Succeeded();
        return At("small");
    }

    /// <summary>Makes an ext4 filesystem in a file, with that label, from the content of a directory. Returns the file's path.</summary>
    public string MakeFilesystem(string label, string[] content)
    {
        string file = At(label);
        Tools.Run("mkfs.ext4", ["-q", "-L", label, .. content.SelectMany(path => new[] { "-d", path }), file, "400M"]).Succeeded();
        return file;
    }

    /// <summary>Options of QEMU for a disk.</summary>
    public static string[] Drive(string file) => ["-drive", $"file={file},if=virtio,format=raw,cache=unsafe"];

    public static ToolResult Image(params IEnumerable<string> arguments) => Hacktree.Run(["image", .. arguments]);

    /// <summary>Runs a script in the physical root of a disk and returns what it printed. $P is the program, and $H is the program with the disk's store.</summary>
    public static string Edit(string disk, string script) =>
        Image("edit", disk, "--", "env", $"P={Hacktree.Path}", $"H={Hacktree.Path} --store objects", "sh", "-ec", script).Succeeded();

    /// <summary>Boots with `hacktree image run`. Its standard output is the console, and --report is the second serial port.</summary>
    public static BootResult Run(string name, params IEnumerable<string> arguments)
    {
        Qemu.Require();
        string log = Path.Combine(Repository.Root, "out", "boot-logs", $"{name}.log"), checks = Path.ChangeExtension(log, "checks");
        Directory.CreateDirectory(Path.GetDirectoryName(log)!);
        for (bool isFirst = true; ; isFirst = false)
        {
            File.WriteAllText(checks, "");
            ToolResult result = Image(["run", "--no-reboot", "--timeout", "590", "--report", checks, .. arguments]);
            File.WriteAllText(log, result.Output.Replace("\r", "", StringComparison.Ordinal));
            var boot = new BootResult(log, File.ReadAllText(checks));
            if (isFirst && Qemu.LacksTimer(result.Output))
            {
                Qemu.WarnOfRestart(name, boot);
                continue;
            }

            Assert.True(result.ExitCode == 0, $"{result.Error}; {boot.WhatWentWrong}");
            return boot;
        }
    }

    /// <summary>Skips the test if the programs that make images are not installed.</summary>
    public static void Require()
    {
        Hacktree.Require();
        Tools.Require("mkfs.ext4", "debugfs", "grub-mkimage", "qemu-img");
    }

    /// <summary>Skips the test if the programs that make images with an EFI system partition are not installed.</summary>
    public static void RequireUefi()
    {
        Require();
        Tools.Require("mkfs.vfat", "mcopy");
        Assert.SkipUnless(File.Exists(FirmwareFile), "the package ovmf is not installed");
    }

    public void Dispose() => directory.Dispose();
}
