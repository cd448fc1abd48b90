namespace HackTree.Store;

/// <summary>How far a long command is, counted by its workers and read by whoever shows it. Thread-safe.</summary>
public sealed class Progress
{
    private long files;
    private long bytes;
    private long totalFiles;

    /// <summary>Files done.</summary>
    public long Files => Interlocked.Read(ref files);

    /// <summary>Bytes done.</summary>
    public long Bytes => Interlocked.Read(ref bytes);

    /// <summary>Files to do in all; 0 where nobody knows.</summary>
    public long TotalFiles
    {
        get => Interlocked.Read(ref totalFiles);
        set => Interlocked.Exchange(ref totalFiles, value);
    }

    /// <summary>Counts one file and its bytes.</summary>
    public void Add(long fileBytes)
    {
        Interlocked.Increment(ref files);
        Interlocked.Add(ref bytes, fileBytes);
    }
}
