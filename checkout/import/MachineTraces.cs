using System.Collections.Immutable;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Checkout;

/// <summary>One kind of traces that a running machine leaves in its tree.</summary>
/// <param name="Name">What the traces are, for a sentence.</param>
/// <param name="Left">Patterns of what a sealed commit leaves out.</param>
/// <param name="Emptied">Patterns of regular files that a sealed commit has as empty files.</param>
public sealed record TraceRule(string Name, ImmutableArray<string> Left, ImmutableArray<string> Emptied);

/// <summary>Traces of one kind that were found in a tree.</summary>
/// <param name="Name">What they are.</param>
/// <param name="Files">How many files.</param>
/// <param name="First">The path of the first one.</param>
public sealed record FoundTraces(string Name, int Files, string First);

/// <summary>
/// The files that belong to one machine and not to a tree that many machines start from: identities, secrets, leases, logs. `commit --seal`
/// leaves them out, and `image create` warns of them. README.md has the same list; a test compares them.
/// </summary>
public static class MachineTraces
{
    /// <summary>
    /// The rules. An empty /etc/machine-id means that systemd makes one and keeps it; a missing one would mean a first boot, which enables units
    /// anew. Logs are emptied and not left out, because some programs do not start without the directories and files that they log to.
    /// </summary>
    public static readonly ImmutableArray<TraceRule> Rules =
    [
        new("machine id", ["/var/lib/dbus/machine-id"], ["/etc/machine-id"]),
        new("ssh host keys", ["/etc/ssh/ssh_host_*"], []),
        new("random seeds", ["/var/lib/systemd/random-seed", "/var/lib/urandom/random-seed", "/var/lib/random-seed", "/boot/loader/random-seed"], []),
        new("secret of systemd", ["/var/lib/systemd/credential.secret"], []),
        new("DHCP leases", ["/var/lib/dhcp/*.leases*", "/var/lib/dhclient/*.leases*", "/var/lib/dhcpcd/*.lease*", "/var/lib/NetworkManager/*.lease"], []),
        new(
            "identity for networks",
            [
                "/var/lib/NetworkManager/secret_key", "/var/lib/NetworkManager/seen-bssids", "/var/lib/NetworkManager/timestamps",
                "/etc/udev/rules.d/70-persistent-net.rules",
            ],
            []),
        new("identity for storage", ["/etc/iscsi/initiatorname.iscsi", "/etc/nvme/hostid", "/etc/nvme/hostnqn"], []),
        new("state of cloud-init", ["/var/lib/cloud/instance", "/var/lib/cloud/instances", "/var/lib/cloud/data", "/var/lib/cloud/sem"], []),
        new("shell history", ["/root/.bash_history", "/home/*/.bash_history"], []),
        new("logs", ["/var/log/journal/*", "/var/log/**.gz", "/var/log/**.xz", "/var/log/**.zst", "/var/log/**.old", "/var/log/**.[0-9]"], ["/var/log/**"]),
    ];

    // The directories at the top of a tree that the rules look into.
    private static readonly string[] Tops = [.. Patterns(rule => [.. rule.Left, .. rule.Emptied]).Select(pattern => pattern.Split('/')[1]).Distinct()];

    /// <summary>The patterns of what a sealed commit leaves out.</summary>
    public static IReadOnlyList<PathGlob> Left { get; } = [.. Patterns(rule => rule.Left).Select(pattern => new PathGlob(pattern))];

    /// <summary>The patterns of regular files that a sealed commit has as empty files.</summary>
    public static IReadOnlyList<PathGlob> Emptied { get; } = [.. Patterns(rule => rule.Emptied).Select(pattern => new PathGlob(pattern))];

    /// <summary>The traces in a commit's tree. An empty file is none.</summary>
    public static IReadOnlyList<FoundTraces> Find(Packs packs, Digest tree)
    {
        PathGlob[][] globs = [.. Rules.Select(rule => (PathGlob[])[.. rule.Left.Concat(rule.Emptied).Select(pattern => new PathGlob(pattern))])];
        (int Files, string First)[] found = new (int, string)[Rules.Length];
        TreeWalk.Visit(packs, tree, (PathBuffer path, in TreeEntry entry) =>
        {
            if (entry.IsDirectory)
            {
                return path.Bytes.Contains((byte)'/') || Tops.Contains(ByteText.Quote(path.Bytes));
            }

            for (int i = 0; entry.Kind == EntryKind.Regular && entry.Size > 0 && i < globs.Length; i++)
            {
                if (IsBelow(globs[i], path.Bytes))
                {
                    found[i] = (found[i].Files + 1, found[i].First ?? $"/{ByteText.Quote(path.Bytes)}");
                    break;
                }
            }

            return false;
        });
        return [.. found.Select((some, i) => new FoundTraces(Rules[i].Name, some.Files, some.First)).Where(some => some.Files > 0)];
    }

    /// <summary>Whether a pattern matches a path or a directory above it.</summary>
    private static bool IsBelow(PathGlob[] globs, ReadOnlySpan<byte> path)
    {
        for (int end = path.Length; end > 0; end = path[..end].LastIndexOf((byte)'/'))
        {
            foreach (PathGlob glob in globs)
            {
                if (glob.Matches(path[..end]))
                {
                    return true;
                }
            }
        }

        return false;
    }

    private static IEnumerable<string> Patterns(Func<TraceRule, IEnumerable<string>> select) => Rules.SelectMany(select);
}
