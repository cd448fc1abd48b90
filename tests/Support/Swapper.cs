using System.Text;
using HackTree.Linux;

namespace HackTree.Tests.Support;

/// <summary>
/// A hostile neighbour: exchanges names for links to something else, and back, without a pause, until it is disposed of (renameat2(2),
/// RENAME_EXCHANGE). A name that is not there yet is exchanged as soon as it is; a hard link takes its place at once. The link to exchange stands beside
/// its name, as NAME.swap.
/// </summary>
internal sealed class Swapper : IDisposable
{
    private const string Suffix = ".swap";

    private readonly (byte[] Name, byte[] Link, byte[] Target)[] pairs;
    private readonly bool hasHardLinks;
    private readonly Thread thread;
    private volatile bool isStopped;
    private long swaps;

    /// <param name="pairs">Paths, each with what its link leads to.</param>
    /// <param name="hasHardLinks">Whether the links are hard links. Otherwise they are symbolic links.</param>
    public Swapper(IEnumerable<(string Path, string Target)> pairs, bool hasHardLinks = false)
    {
        this.hasHardLinks = hasHardLinks;
        this.pairs = [.. pairs.Select(pair => (Encoding.UTF8.GetBytes(pair.Path), Encoding.UTF8.GetBytes(pair.Path + Suffix), Encoding.UTF8.GetBytes(pair.Target)))];
        thread = new Thread(Swap);
        thread.Start();
    }

    /// <summary>How often something was exchanged.</summary>
    public long Swaps => Interlocked.Read(ref swaps);

    public void Dispose()
    {
        isStopped = true;
        thread.Join();
    }

    private void Swap()
    {
        while (!isStopped)
        {
            foreach ((byte[] name, byte[] link, byte[] target) in pairs)
            {
                Errno errno = Sys.Exchange(Sys.WorkingDirectory, name, Sys.WorkingDirectory, link);
                if (errno == Errno.None)
                {
                    Interlocked.Increment(ref swaps);
                }
                else if (errno == Errno.ENOENT)
                {
                    // Nothing to exchange yet: the link at least can be there. Both may be gone again at any time.
                    MakeLink(target, link);
                    Interlocked.Add(ref swaps, hasHardLinks && MakeLink(target, name) ? 1 : 0);
                }
            }
        }
    }

    private bool MakeLink(byte[] target, byte[] name) => Errno.None == (hasHardLinks
        ? Sys.Link(Sys.WorkingDirectory, target, Sys.WorkingDirectory, name)
        : Sys.Symlink(target, Sys.WorkingDirectory, name));
}
