using HackTree.Tests.Support;

namespace HackTree.Tests.Checkout;

/// <summary>
/// One filesystem of each kind for all tests that need one, made at the first use. Loop devices are few, so these tests form one collection
/// and run one after another.
/// </summary>
public sealed class LoopFilesystems : IDisposable
{
    private const int Megabytes = 6000;

    private readonly Dictionary<string, LoopFilesystem> mounted = [];

    /// <summary>The top of the filesystem of that kind. Skips the test if it cannot be made.</summary>
    public string this[string kind]
    {
        get
        {
            if (!mounted.TryGetValue(kind, out LoopFilesystem? filesystem))
            {
                mounted.Add(kind, filesystem = kind switch
                {
                    // Enough inodes for trees of 200,000 files. 256 bytes for each, as on any root, for times after 2038.
                    "ext4" => new LoopFilesystem(kind, Megabytes, "-N", "1000000", "-I", "256", "-m", "0"),
                    "xfs" => new LoopFilesystem(kind, Megabytes, "-m", "reflink=1"),
                    _ => new LoopFilesystem(kind, Megabytes),
                });
            }

            return filesystem.Path;
        }
    }

    public void Dispose()
    {
        foreach (LoopFilesystem filesystem in mounted.Values)
        {
            filesystem.Dispose();
        }
    }
}

[CollectionDefinition(Name)]
public sealed class LoopTests : ICollectionFixture<LoopFilesystems>
{
    public const string Name = "loop filesystems";
}
