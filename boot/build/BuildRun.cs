using System.Diagnostics;
using System.Text;
using HackTree.Checkout;
using HackTree.Store;

namespace HackTree.Boot;

/// <summary>
/// Runs the command of a build in an overlay over a private checkout. The command has its own mounts, processes and host name. If this process
/// is killed, the command is killed too, and the mounts end with it.
/// </summary>
public static class BuildRun
{
    private static readonly Tool SetPrivileges = new("setpriv", "util-linux");
    private static readonly Tool Unshare = new("unshare", "util-linux");

    // What the user's environment may say to the command: how its terminal looks, and how it reaches the network.
    private static readonly string[] Passed = ["TERM", "http_proxy", "https_proxy", "ftp_proxy", "no_proxy"];

    /// <summary>
    /// Changes at these paths are not recorded: lists and packages that apt fetches again, and the files that a build puts there itself.
    /// </summary>
    public static IReadOnlyList<PathGlob> Unrecorded { get; } =
    [
        .. new[]
        {
            "/var/lib/apt/lists/*", "/var/cache/apt/*.bin", "/var/cache/apt/archives/*.deb", "/usr/sbin/policy-rc.d", "/etc/resolv.conf", "/run/*", "/tmp/*",
        }.Select(glob => new PathGlob(glob)),
    ];

    /// <summary>Runs the command to its end and returns its exit code. Throws <see cref="StoreException"/> if its root cannot be set up.</summary>
    public static int Run(BuildPlace place, BuildRequest request, CancellationToken stop)
    {
        // The kernel kills the child when the thread ends that started it. This thread waits for the child.
        using Process process = ProgramRun.Start(Prepare(place, request));
        using CancellationTokenRegistration killing = stop.Register(process.Kill);
        process.WaitForExit();
        stop.ThrowIfCancellationRequested();
        RequireEntered(place, "the message above says why");
        return process.ExitCode;
    }

    /// <summary>Runs the command like <see cref="Run"/>, and keeps what it says, all of it as its errors.</summary>
    internal static ProgramRun RunQuietly(BuildPlace place, BuildRequest request, CancellationToken stop)
    {
        ProgramRun run = ProgramRun.Of(Prepare(place, request), stop: stop);
        RequireEntered(place, run.LastWords);
        return run;
    }

    private static void RequireEntered(BuildPlace place, string reason)
    {
        if (!File.Exists(Path.Combine(place.Path, "entered")))
        {
            string fault = Path.Combine(place.Path, "fault");
            throw new StoreException(File.Exists(fault) ? File.ReadAllText(fault).TrimEnd('\n') : $"the root of the build could not be set up; {reason}");
        }
    }

    private static ProcessStartInfo Prepare(BuildPlace place, BuildRequest request)
    {
        // Packages must start no service in a build (invoke-rc.d(8)).
        place.PutStandIn("usr/sbin", "policy-rc.d", "#!/bin/sh\nexit 101\n"u8, isProgram: true);
        if (request.HasNetwork && File.Exists("/etc/resolv.conf"))
        {
            place.PutStandIn("etc", "resolv.conf", File.ReadAllBytes("/etc/resolv.conf"), isProgram: false);
        }

        IReadOnlyList<string> command = request.Command;
        if (request.Script is { } script)
        {
            using FileStream source = OpenPath.Content(script);
            using FileStream copy = File.Create(Path.Combine(place.Path, "script"));
            source.CopyTo(copy);
            command = ["/run/hacktree-build", .. command];
        }

        IReadOnlyList<string> words =
        [
            "--pdeathsig", "KILL", Unshare.Path, "--mount", "--pid", "--fork", "--uts", "--ipc", "--kill-child",
            .. request.HasNetwork ? Array.Empty<string>() : ["--net"],
            "/bin/sh", "-c", Encoding.UTF8.GetString(BootFiles.Read("build/enter.sh")), "hacktree-build",
            place.Path, OverlayBase.MountOptions, $"{request.Binds.Count}",
            .. request.Binds.SelectMany(bind => new[] { Path.GetFullPath(bind.Source), bind.Target }),

            // Variables of the command. Of the programs here, chroot(8) alone gets them, and it looks for no other by PATH.
            .. request.Environment.Select(variable => $"{variable.Name}={variable.Value}"),
            Tool.ChangeRoot.Path, Path.Combine(place.Path, "merged"), .. command,
        ];
        var start = new ProcessStartInfo(SetPrivileges.Path, words);
        Dictionary<string, string?> passed = Passed.ToDictionary(name => name, Environment.GetEnvironmentVariable);
        start.Environment.Clear();
        start.Environment["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        start.Environment["HOME"] = "/root";
        start.Environment["DEBIAN_FRONTEND"] = "noninteractive";
        foreach ((string name, string? value) in passed.Where(variable => variable.Value is not null).Select(variable => (variable.Key, variable.Value)))
        {
            start.Environment[name] = value;
        }

        return start;
    }
}
