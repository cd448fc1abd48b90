using HackTree.Model;

namespace HackTree.Cli;

/// <summary>
/// The arguments as the kernel has them. .NET decodes them as UTF-8 and puts U+FFFD for what is not, so that a file whose
/// name is not UTF-8 could not be named.
/// </summary>
internal static class RawArguments
{
    /// <summary>The arguments, each byte that is not UTF-8 kept as <see cref="ByteText.ToArgument"/> does.</summary>
    internal static string[] Restore(string[] args)
    {
        // Without /proc, as in a bare chroot, the rare argument that is not UTF-8 stays as .NET made it.
        if (!args.Any(arg => arg.Contains('\uFFFD')) || !File.Exists("/proc/self/cmdline"))
        {
            return args;
        }

        byte[] line = File.ReadAllBytes("/proc/self/cmdline");
        var words = new List<string>();
        for (ReadOnlySpan<byte> rest = line; rest.IndexOf((byte)0) is >= 0 and int end; rest = rest[(end + 1)..])
        {
            words.Add(ByteText.ToArgument(rest[..end]));
        }

        // What comes before the arguments is the program, in one word or more.
        return words.Count > args.Length ? [.. words[^args.Length..]] : args;
    }
}
