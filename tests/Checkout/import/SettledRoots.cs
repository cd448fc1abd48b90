using HackTree.Tests.Crash;
using HackTree.Tests.Support;

namespace HackTree.Tests.Checkout;

/// <summary>
/// Physical roots whose "source" has not changed for so long that the stat cache keeps its files. In each source "f" is a file, and "kept" an
/// empty one with the same time. Many are made at once, for the wait is what takes time.
/// </summary>
public sealed class SettledRoots : IDisposable
{
    private const int AtOnce = 8;

    // StatCacheRule.MinimumAgeSeconds, and a little.
    private static readonly TimeSpan Settling = TimeSpan.FromSeconds(2.2);

    private readonly Queue<PhysicalRoot> made = new();

    /// <summary>One that nobody had before; it is the taker's to dispose of.</summary>
    internal PhysicalRoot Take()
    {
        if (made.Count == 0)
        {
            for (int i = 0; i < AtOnce; i++)
            {
                made.Enqueue(Make());
            }

            Thread.Sleep(Settling);
        }

        return made.Dequeue();
    }

    public void Dispose()
    {
        foreach (PhysicalRoot root in made)
        {
            root.Dispose();
        }
    }

    private static PhysicalRoot Make()
    {
        var root = new PhysicalRoot();
        string source = root.At("source");
        SourceTree.Make(source, 1);
        Tools.Run("sh", "-ec", $"cd {source}; f=$(find . -type f -name 'f[1-9]*' -size +0 | head -1); touch -r $f kept; mv $f f").Succeeded();
        return root;
    }
}
