using System.CommandLine;
using HackTree.Boot;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Cli;

internal sealed class ImageRunCommand : Verb
{
    private readonly Argument<string> image = new("IMAGE") { Description = "The image." };
    private readonly Option<string?> subroot = new("--subroot")
    {
        Description = "The root to boot. Default: the boot menu chooses.",
        HelpName = "ROOT",
    };

    private readonly Option<bool> uefi = new("--uefi") { Description = "Boot a machine with UEFI instead of a BIOS." };
    private readonly Option<string?> append = new("--append") { Description = "Further options for the kernel.", HelpName = "OPTIONS" };
    private readonly Option<bool> snapshot = new("--snapshot") { Description = "Discard everything that the machine writes." };
    private readonly Option<bool> noReboot = new("--no-reboot") { Description = "Switch the machine off when the system in it starts again." };
    private readonly Option<string?> report = new("--report")
    {
        Description = "Write to this file what the machine says on its second serial port, /dev/ttyS1.",
        HelpName = "FILE",
    };

    private readonly Option<string?> kernel = new("--kernel")
    {
        Description = "Boot this kernel instead of the one on the disk. --append must then have root=.",
        HelpName = "FILE",
    };

    private readonly Option<string?> initrd = new("--initrd") { Description = "The initrd of --kernel.", HelpName = "FILE" };
    private readonly Option<int?> memory;
    private readonly Option<int?> timeout;

    internal ImageRunCommand()
        : base(
            "run",
            "Boot an image in QEMU, with its serial port on the terminal.",
            "hacktree image run debian.qcow2",
            "hacktree image run debian.qcow2 --subroot r1 --snapshot")
    {
        Details = "Ctrl-A X switches the machine off. --subroot and --append reach GRUB only on disks that hacktree made or converted. "
            + "--report keeps apart from the kernel's messages what a script in the machine reports.";
        Add(image);
        foreach (Option option in new Option[] { subroot, uefi, append, snapshot, noReboot, report, kernel, initrd })
        {
            Add(option);
        }

        memory = AddNumber("Memory in MiB. Default: 1024.", "--memory");
        timeout = AddNumber("Switch the machine off after this many seconds, and fail.", "--timeout");
        AddRule(result =>
        {
            if (result.GetValue(initrd) is not null && result.GetValue(kernel) is null)
            {
                result.AddError("--initrd needs --kernel");
            }
        });
    }

    protected override int Run(Session session)
    {
        string more = session.Get(append) ?? "";
        if (!Commit.IsLine(more) || !Commit.IsLine(session.Get(subroot) ?? ""))
        {
            throw new UsageException("the kernel's options must be one line of text");
        }

        var request = new QemuRequest
        {
            Image = session.Get(image),
            Subroot = session.Get(subroot),
            Uefi = session.Get(uefi),
            Append = more,
            Megabytes = session.Get(memory) ?? 1024,
            Kernel = session.Get(kernel),
            Initrd = session.Get(initrd),
            Snapshot = session.Get(snapshot),
            Report = session.Get(report),
            NoReboot = session.Get(noReboot),
            OnStart = () => session.Note("Ctrl-A X switches the machine off"),
        };
        TimeSpan? limit = session.Get(timeout) is { } seconds ? TimeSpan.FromSeconds(seconds) : null;
        int code = QemuMachine.Run(request, limit, Session.Stop);
        return code switch
        {
            0 => ExitCode.Done,
            _ => throw new StoreException($"{request.Image}: QEMU ended with exit code {code}; what it says is above"),
        };
    }

    protected override string Undone(Session session) => "the machine was switched off";
}
