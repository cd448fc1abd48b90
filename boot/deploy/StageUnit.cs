using HackTree.Checkout;
using HackTree.Store;

namespace HackTree.Boot;

/// <summary>
/// The unit of systemd that puts a staged root on trial when the machine shuts down, after all services have ended and before filesystems are unmounted.
/// It is in /run, so it is gone after a power cut. ostree's ostree-finalize-staged.service does the same.
/// </summary>
public static class StageUnit
{
    private const string Name = "hacktree-stage.service";

    private const string Text =
        """
        [Unit]
        Description=Put the staged root on trial at shutdown
        DefaultDependencies=no
        RequiresMountsFor=/sysroot /boot
        After=local-fs.target
        Before=basic.target final.target
        Conflicts=final.target

        [Service]
        Type=oneshot
        RemainAfterExit=yes
        ExecStart=/bin/true
        ExecStop=/usr/bin/env hacktree deploy finish
        TimeoutStopSec=5min

        """;

    /// <summary>Starts the unit. Throws <see cref="StoreException"/> if systemd does not run here.</summary>
    public static void Start()
    {
        const string Folder = "/run/systemd/system";
        string? systemctl = ProgramRun.Find("systemctl");
        if (!Directory.Exists(Folder) || systemctl is null)
        {
            throw new StoreException("systemd does not run here, so nothing would put a staged root on trial at the shutdown; deploy without --stage");
        }

        File.WriteAllText(Path.Combine(Folder, Name), Text);
        foreach (string[] command in new[] { new[] { systemctl, "daemon-reload" }, [systemctl, "start", Name] })
        {
            ProgramRun run = ProgramRun.Of(command);
            if (!run.Succeeded)
            {
                throw new StoreException($"{Name}, which would put the root on trial at the shutdown, does not start: {run.LastWords}");
            }
        }
    }
}
