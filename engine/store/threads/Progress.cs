namespace HackTree.Store;

/// <summary>How far a long command is. Its workers count, and the terminal's line shows it. Thread-safe.</summary>
public sealed class Progress
{
    private long files;
    private long bytes;
    private long totalFiles;

    /// <summary>Files done.</summary>
    public long Files => Interlocked.Read(ref files);

    /// <summary>Bytes done.</summary>
    public long Bytes => Interlocked.Read(ref bytes);

    /// <summary>Files to do in all; 0 if that is not known.</summary>
    public long TotalFiles
    {
        get => Interlocked.Read(ref totalFiles);
        set => Interlocked.Exchange(ref totalFiles, value);
    }

    /// <summary>Counts one file and its bytes.</summary>
    public void Add(long fileBytes) => Add(1, fileBytes);

    /// <summary>Counts files and their bytes. Counting many at once spares threads the wait for each other's counting.</summary>
    public void Add(long moreFiles, long moreBytes)
    {
        Interlocked.Add(ref files, moreFiles);
        Interlocked.Add(ref bytes, moreBytes);
    }
}
