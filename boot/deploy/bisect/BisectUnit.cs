using System.Text;
using HackTree.Linux;
using HackTree.Store;

namespace HackTree.Boot;

/// <summary>
/// The unit that goes on with a bisect when the machine has come back to its default root: after a try that failed, and at the end. It is in that
/// root's own /etc, because the package starts nothing. In a root that is tried, `hacktree good` goes on.
/// </summary>
/// <param name="root">The path of the default root.</param>
internal sealed class BisectUnit(string root)
{
    private const string Name = "hacktree-bisect.service";

    private const string Text =
        """
        [Unit]
        Description=Go on with hacktree bisect
        ConditionPathExists=/sysroot/var/lib/hacktree/bisect
        ConditionKernelCommandLine=!subroot.trial
        After=multi-user.target

        [Service]
        Type=oneshot
        ExecStart=/usr/bin/env hacktree bisect step

        """;

    private readonly string folder = Path.Combine(root, "etc/systemd/system");

    private string Link => Path.Combine(folder, "multi-user.target.wants", Name);

    /// <summary>Makes the unit and enables it, from the next start on.</summary>
    internal void Add()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Link)!);
        OpenPath.Replace(Path.Combine(folder, Name), Encoding.ASCII.GetBytes(Text), FileModes.PublicFile);
        if (!File.Exists(Link))
        {
            File.CreateSymbolicLink(Link, $"../{Name}");
        }
    }

    /// <summary>Removes the unit.</summary>
    internal void Remove()
    {
        foreach (string path in new[] { Link, Path.Combine(folder, Name) }.Where(path => Directory.Exists(Path.GetDirectoryName(path))))
        {
            File.Delete(path);
        }
    }
}
