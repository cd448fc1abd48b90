using System.Diagnostics;
using HackTree.Tests.Support;
using HackTree.Tests.Tidy;

namespace HackTree.Tests.Boot;

/// <summary>
/// A machine that is emulated (no KVM: a boot takes 15 to 60 s). The console is its first serial port; a check script in the
/// guest writes what it saw to the second one, where no getty is.
/// </summary>
internal static class Qemu
{
    /// <summary>What a guest's script starts with: <c>say NAME VALUE</c> writes one fact, its line ends as ';'.</summary>
    public const string ScriptHead =
        """
        exec > /dev/ttyS1 2>&1
        say() { echo "CHECK $1=$(printf %s "$2" | tr '\n' ';')"; }

        """;

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(6);

    /// <summary>Skips the test, saying why, where there is no emulator.</summary>
    public static void Require() => Tools.Require("qemu-system-x86_64");

    /// <summary>Boots a machine and waits until it switches itself off or reboots; fails, with the first wrong line, where it does neither.</summary>
    /// <param name="name">What its log is called, below out/boot-logs.</param>
    /// <param name="arguments">Drives, and a kernel where none is loaded from a drive.</param>
    public static BootResult Run(string name, params IEnumerable<string> arguments)
    {
        Require();
        string folder = Path.Combine(Repository.Root, "out", "boot-logs");
        Directory.CreateDirectory(folder);
        string log = Path.Combine(folder, $"{name}.log"), checks = Path.Combine(folder, $"{name}.checks");
        string[] machine =
        [
            "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "1024", "-no-reboot", "-display", "none", "-monitor", "none",
            "-nic", "none", "-serial", $"file:{log}", "-serial", $"file:{checks}",
        ];
        var start = new ProcessStartInfo(Tools.Find("qemu-system-x86_64")!, [.. machine, .. arguments]) { RedirectStandardError = true };
        using Process process = Process.Start(start)!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        bool hasEnded = process.WaitForExit(Patience);
        if (!hasEnded)
        {
            process.Kill();
        }

        var result = new BootResult(log, File.Exists(checks) ? File.ReadAllText(checks) : "");
        Assert.True(hasEnded, $"{name} did not switch itself off within {Patience}; {result.WhatWentWrong}");
        Assert.True(process.ExitCode == 0, $"qemu: {error.Result}");
        return result;
    }
}
