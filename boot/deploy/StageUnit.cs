using HackTree.Checkout;
using HackTree.Store;

namespace HackTree.Boot;

/// <summary>
/// The unit of systemd that puts a staged root on trial when the machine shuts down, after all services have ended and before filesystems are unmounted.
/// It is in /run, so it is gone after a power cut. ostree's ostree-finalize-staged.service does the same.
/// </summary>
/// <remarks>
/// The unit ends before the filesystem that holds the boot loader's files is unmounted. An automount unmounts that when nobody has used it for a while, so
/// a process stays in it: the unit would end long before the shutdown (https://github.com/ostreedev/ostree/issues/2543). If somebody kills that process, the
/// unit stays ("-" before the command).
/// </remarks>
public static class StageUnit
{
    private const string Name = "hacktree-stage.service";

    private const string UnitFolder = "/run/systemd/system";

    /// <summary>Starts the unit. Throws <see cref="StoreException"/> if systemd does not run here.</summary>
    /// <param name="loaderFolder">The directory of the boot loader's files (<see cref="BootChoice.Folder"/>).</param>
    public static void Start(string loaderFolder)
    {
        string? systemctl = ProgramRun.Find("systemctl");
        if (!Directory.Exists(UnitFolder) || systemctl is null)
        {
            throw new StoreException("systemd does not run here, so nothing would put a staged root on trial at the shutdown; deploy without --stage");
        }

        File.WriteAllText(Path.Combine(UnitFolder, Name), TextFor(loaderFolder));
        foreach (string[] command in new[] { new[] { systemctl, "daemon-reload" }, [systemctl, "start", Name] })
        {
            ProgramRun run = ProgramRun.Of(command);
            if (!run.Succeeded)
            {
                throw new StoreException($"{Name}, which would put the root on trial at the shutdown, does not start: {run.LastWords}");
            }
        }
    }

    private static string TextFor(string loaderFolder) =>
        $"""
        [Unit]
        Description=Put the staged root on trial at shutdown
        DefaultDependencies=no
        RequiresMountsFor=/sysroot {loaderFolder}
        After=local-fs.target
        Before=basic.target final.target
        Conflicts=final.target

        [Service]
        Type=exec
        RemainAfterExit=yes
        WorkingDirectory={loaderFolder}
        ExecStart=-/usr/bin/env sleep infinity
        ExecStop=/usr/bin/env hacktree deploy finish
        TimeoutStopSec=5min

        """;
}
