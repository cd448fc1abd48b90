using System.Globalization;
using System.Text;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Boot;

/// <summary>
/// A root that is made and goes on trial when the machine shuts down, in the file var/lib/hacktree/staged of the physical root. It counts in the boot of
/// the machine in which it was written: after a power cut the machine boots what it booted before, and the root is one like others.
/// docs/files.md has the format.
/// </summary>
/// <param name="Boot">The id that the kernel gave that boot.</param>
/// <param name="Root">The name of the root.</param>
/// <param name="Commit">Its commit.</param>
/// <param name="Tries">How many times the loader will start it.</param>
/// <param name="MergesText">Whether text files of /etc are merged line by line.</param>
public sealed record StagedRoot(string Boot, string Root, Digest Commit, int Tries, bool MergesText)
{
    private const string Head = "hacktree-staged 1";

    /// <summary>The id of this boot.</summary>
    internal static string ThisBoot => File.ReadAllText("/proc/sys/kernel/random/boot_id").Trim();

    /// <summary>
    /// The staged root; null if there is none, or if it was staged in an earlier boot. Throws <see cref="CorruptException"/> if the file is damaged.
    /// </summary>
    public static StagedRoot? Find(string physical)
    {
        string path = PathIn(physical);
        if (!File.Exists(path))
        {
            return null;
        }

        string text = File.ReadAllText(path, Encoding.UTF8);
        string[] values = [.. text.Split('\n').Select(line => line.Split(' ', 2)[^1])];
        StagedRoot? staged = values.Length > 5
            && Digest.TryParse(values[3], out Digest commit)
            && int.TryParse(values[4], NumberStyles.None, CultureInfo.InvariantCulture, out int tries)
            ? new StagedRoot(values[1], values[2], commit, tries, values[5] == "yes")
            : null;
        return staged?.ToText() != text ? throw new CorruptException(path, "it is not as this version writes it; remove it", null)
            : staged.Boot == ThisBoot ? staged : null;
    }

    /// <summary>Writes the file, durably.</summary>
    internal void Write(string physical)
    {
        string path = PathIn(physical);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        OpenPath.Replace(path, Encoding.UTF8.GetBytes(ToText()), FileModes.PublicFile);
    }

    /// <summary>Forgets what is staged. The root stays, as one like others.</summary>
    internal static void Forget(string physical)
    {
        if (File.Exists(PathIn(physical)))
        {
            File.Delete(PathIn(physical));
        }
    }

    private static string PathIn(string physical) => Path.Combine(physical, "var/lib/hacktree/staged");

    private string ToText() => string.Create(
        CultureInfo.InvariantCulture, $"{Head}\nboot {Boot}\nroot {Root}\ncommit {Commit}\ntries {Tries}\nmerge-text {(MergesText ? "yes" : "no")}\n");
}
