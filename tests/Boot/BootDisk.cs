using HackTree.Tests.Crash;
using HackTree.Tests.Support;

namespace HackTree.Tests.Boot;

/// <summary>
/// The disk of a user who installed Debian and hacktree: an ext4 filesystem with the system, a store, and roots checked out from a commit of
/// the system. It is made once for all boots, which run one after the other.
/// </summary>
public sealed class BootDisk : IDisposable
{
    private const int Megabytes = 5000;

    private const string CheckUnit =
        """
        [Unit]
        Description=checks of a boot test

        [Service]
        ExecStart=/bin/sh -c 'for f in /sysroot/check.sh /check.sh; do [ ! -e $f ] || exec sh $f; done'

        [Install]
        WantedBy=multi-user.target
        """;

    private readonly Lazy<LoopFilesystem> filesystem = new(Make);

    /// <summary>The mount point of the filesystem while no machine runs.</summary>
    private LoopFilesystem Disk => filesystem.Value;

    /// <summary>Runs hacktree on the disk's store, from outside the machine.</summary>
    internal void Ok(params IEnumerable<string> arguments) => Change(at =>
    {
        IEnumerable<string> there = arguments.Select(word => word.StartsWith('/') ? at(word[1..]) : word);
        Hacktree.Run(["--store", at("objects"), .. there]).Succeeded();
    });

    /// <summary>Mounts the disk for a moment to change it.</summary>
    internal void Change(Action<Func<string, string>> change)
    {
        Disk.Mount();
        try
        {
            change(Disk.At);
        }
        finally
        {
            Disk.Unmount();
        }
    }

    /// <summary>Boots with a kernel command line, runs a script in the guest, and switches it off.</summary>
    /// <param name="name">The name of the log.</param>
    /// <param name="initrd">The initrd's path.</param>
    /// <param name="commandLine">Further options for the kernel, such as subroot=r0.</param>
    /// <param name="script">Shell commands that report facts with <c>say</c>. State and failed units are reported before.</param>
    internal BootResult Boot(string name, string initrd, string commandLine, string script)
    {
        Qemu.Require();
        const string State = "say state \"$(systemctl is-system-running --wait)\"; say failed \"$(systemctl --failed --plain --no-legend)\"\n";
        Change(at => File.WriteAllText(at("check.sh"), $"{Qemu.ScriptHead}{State}{script}\nsay end reached\nsystemctl poweroff\n"));
        return Qemu.Run(
            name,
            "-drive", $"file={Disk.Image},if=virtio,format=raw,cache=unsafe", "-kernel", BootRoot.Kernel, "-initrd", initrd,
            "-append", $"console=ttyS0 root=/dev/vda panic=-1 no_timer_check {commandLine}");
    }

    public void Dispose()
    {
        if (filesystem.IsValueCreated)
        {
            filesystem.Value.Dispose();
        }
    }

    private static LoopFilesystem Make()
    {
        string debian = BootRoot.Path;
        Hacktree.Require();
        var disk = new LoopFilesystem("ext4", Megabytes, "-O", "verity", "-I", "256");
        try
        {
            Tools.Run("cp", "-a", $"{debian}/.", disk.Path).Succeeded();
            File.Copy(Hacktree.Path, disk.At("usr/bin/hacktree"));
            File.WriteAllText(disk.At("etc/systemd/system/check.service"), CheckUnit);
            Directory.CreateDirectory(disk.At("etc/systemd/system/multi-user.target.wants"));
            File.CreateSymbolicLink(disk.At("etc/systemd/system/multi-user.target.wants/check.service"), "../check.service");

            // An installer writes this line. With subroot= it must do no harm.
            File.WriteAllText(disk.At("etc/fstab"), "/dev/vda / ext4 rw,errors=remount-ro 0 1\n");
            string store = disk.At("objects");
            Hacktree.Run("init", "--store", store).Succeeded();
            Hacktree.Run("--store", store, "commit", "-b", "debian", disk.Path).Succeeded();
            disk.Unmount();
            return disk;
        }
        catch
        {
            disk.Dispose();
            throw;
        }
    }
}

/// <summary>Boots are slow and use every core, so they run one after the other.</summary>
[CollectionDefinition(Name)]
public sealed class BootCollection : ICollectionFixture<BootDisk>
{
    public const string Name = "boots";
}
