using HackTree.Model;

namespace HackTree.Cli;

/// <summary>
/// The arguments in the bytes of the kernel. .NET decodes them as UTF-8 and replaces other bytes by U+FFFD, so a file whose name is not UTF-8
/// could not be named.
/// </summary>
internal static class RawArguments
{
    /// <summary>The arguments. A byte that is not UTF-8 is kept in the form of <see cref="ByteText.ToArgument"/>.</summary>
    internal static string[] Restore(string[] args)
    {
        // Without /proc, as in a bare chroot, an argument that is not UTF-8 stays as .NET decoded it.
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

        // The program itself comes before the arguments, in one word or more.
        return words.Count > args.Length ? [.. words[^args.Length..]] : args;
    }
}
