using System.Diagnostics;
using System.Text;
using HackTree.Checkout;
using HackTree.Linux;
using HackTree.Store;

namespace HackTree.Transfer;

/// <summary>Signs by the program ssh-keygen. It asks for a passphrase on the terminal, and tells there when a token waits to be touched.</summary>
internal static class SshKeygen
{
    private const string Program = "ssh-keygen";
    private const int StandardError = 2;

    /// <summary>Signs a message. Throws <see cref="StoreException"/> if ssh-keygen is not installed or does not sign.</summary>
    internal static SshSignature Sign(string path, byte[] message, string space, CancellationToken stop)
    {
        // On a terminal, what the program says must be seen at once: it may wait for somebody.
        bool isSeen = Sys.IsTerminal(StandardError);
        var start = new ProcessStartInfo(ProgramRun.Find(Program) ?? Program, ["-q", "-Y", "sign", "-n", space, "-f", path])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = !isSeen,
        };
        using Process process = ProgramRun.Start(start);
        using CancellationTokenRegistration killing = stop.Register(process.Kill);
        Task<string>? words = isSeen ? null : process.StandardError.ReadToEndAsync(CancellationToken.None);
        try
        {
            process.StandardInput.BaseStream.Write(message);
            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // It has ended already: its exit code says enough.
        }

        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        stop.ThrowIfCancellationRequested();
        return process.ExitCode == 0 && SshArmor.Parse(Encoding.ASCII.GetBytes(output)) is [var made]
            ? made
            : throw new StoreException(
                $"{path}: {Program} does not sign with it{(words is null ? "" : $": {ProgramRun.LastLine(words.GetAwaiter().GetResult())}")}");
    }
}
