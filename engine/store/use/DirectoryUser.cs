namespace HackTree.Store;

/// <summary>What a process has of a directory.</summary>
public enum ProcessTie
{
    /// <summary>Its root directory, as after chroot(2).</summary>
    Root,
    /// <summary>Its working directory.</summary>
    WorkingDirectory,
    /// <summary>The program that it runs.</summary>
    Program,
    /// <summary>An open file.</summary>
    OpenFile,
    /// <summary>A file that is mapped into its memory.</summary>
    MappedFile,
}

/// <summary>Something for which a directory must stay as it is. A closed set of cases.</summary>
public abstract record DirectoryUser
{
    private DirectoryUser()
    {
    }

    /// <summary>The process that sees the mount, if only another mount namespace has it; otherwise null.</summary>
    public LockHolder? SeenBy { get; init; }

    /// <summary>Something is mounted in the directory.</summary>
    /// <param name="Point">The mount point.</param>
    public sealed record MountPoint(string Point) : DirectoryUser;

    /// <summary>The directory, or one below it, is mounted at another place too.</summary>
    /// <param name="Point">The mount point.</param>
    public sealed record Bind(string Point) : DirectoryUser;

    /// <summary>An overlay is made of the directory, or of one below it.</summary>
    /// <param name="Layer">The layer, as in the overlay's options.</param>
    /// <param name="Point">Where the overlay is mounted.</param>
    public sealed record Overlay(string Layer, string Point) : DirectoryUser;

    /// <summary>The kernel uses a file below the directory as a disk or for swapping.</summary>
    /// <param name="Path">The file.</param>
    /// <param name="User">The loop device, or "swap".</param>
    public sealed record Disk(string Path, string User) : DirectoryUser;

    /// <summary>A process uses the directory, or something below it.</summary>
    /// <param name="Holder">The process.</param>
    /// <param name="Tie">What it has.</param>
    /// <param name="Path">The path of that.</param>
    public sealed record Process(LockHolder Holder, ProcessTie Tie, string Path) : DirectoryUser;
}
