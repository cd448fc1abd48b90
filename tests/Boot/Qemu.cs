using System.Diagnostics;
using HackTree.Tests.Support;
using HackTree.Tests.Tidy;

namespace HackTree.Tests.Boot;

/// <summary>
/// A machine that is emulated (no KVM: a boot takes 15 to 60 s). Its console is the first serial port. A check script in the guest writes facts
/// to the second one. Neither the kernel nor a getty writes there; UEFI firmware does, before the kernel starts. A serial port needs no module
/// and no udev.
/// </summary>
internal static class Qemu
{
    /// <summary>
    /// The start of a guest's script. In it <c>say NAME VALUE</c> reports one fact, with ';' for each end of a line in the fact. A fact begins on a
    /// new line, whatever firmware or the errors of commands left before it.
    /// </summary>
    public const string ScriptHead =
        """
        exec > /dev/ttyS1 2>&1
        say() { printf '\nCHECK %s=%s\n' "$1" "$(printf %s "$2" | tr '\n' ';')"; }

        """;

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(10);

    // Of the kernel's own start: it says a line each second or so, and takes some 10 s of a busy machine to unpack an initrd.
    internal static readonly TimeSpan LongestSilence = TimeSpan.FromSeconds(90);

    /// <summary>Skips the test, saying why, if there is no emulator.</summary>
    public static void Require() => Tools.Require("qemu-system-x86_64");

    /// <summary>
    /// Boots a machine and waits until it switches itself off or reboots; fails, with the first wrong line, where it does neither.
    /// On a busy host an emulated interrupt may be lost (seen once, 2 s after the kernel's start), and all is still; or the timer comes late, and
    /// the kernel gives up. A machine that stops so, before it ran any program and wrote anything, is started again once, and the test's report
    /// warns of it.
    /// </summary>
    /// <param name="name">What its log is called, below out/boot-logs.</param>
    /// <param name="arguments">Drives, and a kernel unless a drive has one.</param>
    public static BootResult Run(string name, params IEnumerable<string> arguments)
    {
        Require();
        if (!TryRun(name, LongestSilence, arguments, out BootResult result))
        {
            WarnOfRestart(name, result);
            Assert.True(TryRun(name, LongestSilence, arguments, out result), $"{name} stood still twice; {result.WhatWentWrong}");
        }

        return result;
    }

    /// <summary>Says in the test's report that a machine stood still before its first program.</summary>
    internal static void WarnOfRestart(string name, BootResult result) => TestContext.Current.AddWarning(
        $"{name}: the emulator stood still before the guest's first program, and was started again; {result.WhatWentWrong}");

    /// <summary>Whether the kernel gave up because an emulated timer did not tick in time.</summary>
    internal static bool LacksTimer(string console) => console.Contains("IO-APIC + timer doesn't work", StringComparison.Ordinal);

    /// <summary>
    /// Runs a machine to its end. False if the machine had not come to its first program and said nothing for so long, or found no timer.
    /// </summary>
    internal static bool TryRun(string name, TimeSpan longestSilence, IEnumerable<string> arguments, out BootResult result)
    {
        string folder = Path.Combine(Repository.Root, "out", "boot-logs");
        Directory.CreateDirectory(folder);
        string log = Path.Combine(folder, $"{name}.log"), checks = Path.Combine(folder, $"{name}.checks");
        File.WriteAllText(log, "");
        File.WriteAllText(checks, "");

        // One processor: an emulated second one costs the host some 40 % more time for the same boot. `image run` emulates two.
        string[] machine =
        [
            "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "1", "-m", "1024", "-no-reboot", "-display", "none", "-monitor", "none",
            "-nic", "none", "-serial", $"file:{log}", "-serial", $"file:{checks}", .. arguments,
        ];
        var start = new ProcessStartInfo(Tools.Find("qemu-system-x86_64")!, machine) { RedirectStandardError = true };
        using Process process = Process.Start(start)!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        var clock = Stopwatch.StartNew();
        bool hasEnded = false, isStill = false;
        while (!hasEnded && !isStill && clock.Elapsed < Patience)
        {
            hasEnded = process.WaitForExit(TimeSpan.FromSeconds(1));
            bool isSilent = DateTime.UtcNow - File.GetLastWriteTimeUtc(log) > longestSilence;
            string console = File.ReadAllText(log);
            isStill = LacksTimer(console) || (!hasEnded && isSilent && IsBeforeInit(console));
        }

        if (!hasEnded)
        {
            process.Kill();
            process.WaitForExit();
        }

        result = new BootResult(log, File.ReadAllText(checks));
        Assert.True(hasEnded || isStill, $"{name} did not switch itself off within {Patience}; {result.WhatWentWrong}");
        Assert.True(isStill || process.ExitCode == 0, $"qemu: {error.Result}");
        return !isStill;
    }

    /// <summary>Whether a console's text ends within the kernel's own start: Linux is there, and has run nothing yet.</summary>
    private static bool IsBeforeInit(string console) =>
        console.Contains("] Linux version ", StringComparison.Ordinal) && !console.Contains(" as init process", StringComparison.Ordinal);
}
