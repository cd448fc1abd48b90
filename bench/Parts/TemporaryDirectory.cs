namespace HackTree.Bench.Parts;

/// <summary>
/// A directory for a benchmark's files. It is in memory if the machine has /dev/shm, because parts are measured, not disks.
/// </summary>
internal sealed class TemporaryDirectory : IDisposable
{
    internal string Path { get; } = Directory.CreateDirectory(
        System.IO.Path.Combine(
        Directory.Exists("/dev/shm") ? "/dev/shm" : System.IO.Path.GetTempPath(),
        $"hacktree-bench-{Guid.NewGuid():N}")).FullName;

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
