using System.Diagnostics.CodeAnalysis;
using HackTree.Checkout;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Boot;

/// <summary>
/// A user namespace, in which an ordinary user is root of the user's own files and may mount. The user's id is 0 there. If /etc/subuid and
/// /etc/subgid give the user more ids, these follow from 1 up, and files can belong to them.
/// </summary>
public sealed class UserNamespace
{
    private static readonly Tool Unshare = new("unshare", "util-linux");
    private static readonly string[] OneId = ["--user", "--map-root-user"];
    private static readonly string[] ManyIds = [.. OneId, "--map-auto"];

    /// <summary>What forbids a user namespace, below /proc/sys, with the value that does.</summary>
    private static readonly (string Setting, string Forbids, string Allows)[] Settings =
    [
        ("user/max_user_namespaces", "0", "10000"),
        ("kernel/unprivileged_userns_clone", "0", "1"),
        ("kernel/apparmor_restrict_unprivileged_userns", "1", "0"),
    ];

    private readonly string[] options;

    private UserNamespace(string[] options) => this.options = options;

    /// <summary>Whether files in it can belong to others than root.</summary>
    public bool HasOtherIds => options == ManyIds;

    /// <summary>Tries which user namespace this user may make. Throws <see cref="StoreException"/> that says what forbids it.</summary>
    public static UserNamespace Find()
    {
        if (Try(ManyIds).Succeeded)
        {
            return new UserNamespace(ManyIds);
        }

        ProgramRun run = Try(OneId);
        return run.Succeeded ? new UserNamespace(OneId) : throw new StoreException($"an ordinary user needs a user namespace for this, and {WhyNot(run)}");
    }

    /// <summary>
    /// Begins this program anew in the namespace: this process becomes unshare(1), and then this program with the same arguments. Throws
    /// <see cref="LinuxException"/> if that cannot begin.
    /// </summary>
    [DoesNotReturn]
    public void Enter()
    {
        string unshare = Unshare.Path;
        var words = new List<byte[]>();
        byte[] line = File.ReadAllBytes("/proc/self/cmdline");
        for (ReadOnlySpan<byte> rest = line; rest.IndexOf((byte)0) is >= 0 and int end; rest = rest[(end + 1)..])
        {
            words.Add(rest[..end].ToArray());
        }

        string[] before = [unshare, .. options, "--", Environment.ProcessPath!];
        throw new LinuxException(Sys.Execute(unshare, [.. before.Select(ByteText.FromArgument), .. words.Skip(1)]), "execv", unshare);
    }

    private static ProgramRun Try(string[] options) => Unshare.TryRun([.. options, "--mount", "--", "true"]);

    private static string WhyNot(ProgramRun run)
    {
        foreach ((string setting, string forbids, string allows) in Settings)
        {
            string path = $"/proc/sys/{setting}", name = setting.Replace('/', '.');
            if (File.Exists(path) && File.ReadAllText(path).Trim() == forbids)
            {
                return $"{name} is {forbids} here, which forbids it; root can allow it with `sysctl -w {name}={allows}`, or run the command";
            }
        }

        return $"none can be made here: {run.LastWords}; root needs none";
    }
}
