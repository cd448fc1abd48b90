using System.Text;

namespace HackTree.Boot;

/// <summary>
/// Why roots on trial were not good: one file of text for each, in /var/lib/hacktree/failed of the physical root, which all roots share. They only
/// explain; which root boots is in the loader's files alone.
/// </summary>
public sealed class TrialFaults(string physicalRoot)
{
    /// <summary>What is known of a root whose tries are used up, and that said nothing.</summary>
    public const string Silent = "it did not start far enough to say that it is good";

    private readonly string folder = Path.Combine(physicalRoot, "var/lib/hacktree/failed");

    /// <summary>Why that root was not good; null if it did not come so far as to say it.</summary>
    public string? Find(string root) => File.Exists(PathOf(root)) ? File.ReadAllText(PathOf(root), Encoding.UTF8).Trim() : null;

    /// <summary>Notes why. A later reason replaces it.</summary>
    public void Add(string root, string reason)
    {
        _ = Directory.CreateDirectory(folder);
        File.WriteAllText(PathOf(root), reason + "\n");
    }

    /// <summary>Forgets it.</summary>
    public void Remove(string root)
    {
        if (Directory.Exists(folder))
        {
            File.Delete(PathOf(root));
        }
    }

    private string PathOf(string root) => Path.Combine(folder, root);
}
