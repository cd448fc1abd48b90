using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Boot;

/// <summary>
/// The files of roots on an EFI system partition. A kernel or an initrd is at /hacktree/DIGEST/NAME, so roots with the same one share it: FAT has no
/// links. Entries are in /loader/entries. A file appears when it is whole and durable: it has a temporary name before, which the loader ignores.
/// </summary>
/// <param name="path">The partition's mount point.</param>
internal sealed class EfiFolder(string path)
{
    private const string Kernels = "hacktree";
    private const string Entries = "loader/entries";
    private const string Partial = ".partial";

    /// <summary>Where it may be mounted, as bootctl(1) searches.</summary>
    private static readonly string[] MountPoints = ["efi", "boot/efi", "boot"];

    /// <summary>The mount point.</summary>
    internal string Path => path;

    private string KernelFolder => At(Kernels);

    private string EntryFolder => At(Entries);

    /// <summary>
    /// Finds the partition of the disk whose physical root this is: what is mounted at /efi, /boot/efi or /boot and has a loader/ in it. A running
    /// root mounts it below itself, and not below the physical root.
    /// </summary>
    internal static EfiFolder? Find(string physicalRoot)
    {
        FileStatus physical = StatusOf(physicalRoot);
        bool isRunning = Directory.Exists(PhysicalRoot.Place)
            && StatusOf(PhysicalRoot.Place) is var own
            && (own.Device, own.Inode) == (physical.Device, physical.Inode);
        string[] tops = isRunning ? ["/", physicalRoot] : [physicalRoot];
        return tops.SelectMany(top => MountPoints.Select(point => System.IO.Path.Combine(top, point)))
            .Where(point => Directory.Exists(System.IO.Path.Combine(point, "loader")) && StatusOf(point).Device != physical.Device)
            .Select(point => new EfiFolder(point))
            .FirstOrDefault();
    }

    /// <summary>Takes the right to change the partition, until the result is disposed of. Waits for another process that has it.</summary>
    internal SafeFileHandle Lock()
    {
        SafeFileHandle folder = OpenPath.Directory(At("loader"));
        Sys.Lock(folder, LockKind.Exclusive, wait: true).ThrowIfFailed("flock", At("loader"));
        return folder;
    }

    /// <summary>The text of a file; empty if there is no such file.</summary>
    internal string TextOf(string file) => File.Exists(At(file)) ? File.ReadAllText(At(file)) : "";

    /// <summary>The entries of roots.</summary>
    internal IEnumerable<LoaderEntry> ReadEntries() =>
        EntryFiles().Select(file => LoaderEntry.Read(System.IO.Path.GetFileName(file), File.ReadAllText(file))).OfType<LoaderEntry>();

    /// <summary>
    /// Writes an entry to a file of a new name. When this returns, the loader sees it. It is not renamed over another entry: FAT has no journal, and a
    /// power cut may leave the old file's name with its clusters free, which fsck.vfat(8) then empties.
    /// </summary>
    internal void Write(LoaderEntry entry)
    {
        string path = entry.FileNames.Select(name => System.IO.Path.Combine(EntryFolder, name)).First(path => !File.Exists(path));
        WriteFile(path, System.Text.Encoding.UTF8.GetBytes(entry.Text));
        Sync();
    }

    /// <summary>
    /// Writes an entry in the place of the one that it was read from, if it was read. If that has a name of somebody's own, it stays. Both have one rank,
    /// so an old file must not come back.
    /// </summary>
    internal void Replace(LoaderEntry entry)
    {
        Write(entry);
        if (entry.HasOwnName)
        {
            Remove(entry);
            Sync();
        }
    }

    /// <summary>Writes an entry over the file that it was read from, which has a name of somebody's own.</summary>
    internal void WriteOver(LoaderEntry entry)
    {
        WriteFile(System.IO.Path.Combine(EntryFolder, entry.ReadFrom), System.Text.Encoding.UTF8.GetBytes(entry.Text));
        Sync();
    }

    /// <summary>Removes the file that an entry was read from.</summary>
    internal void Remove(LoaderEntry entry) => File.Delete(System.IO.Path.Combine(EntryFolder, entry.ReadFrom));

    /// <summary>Whether the kernel and the initrd of an entry are there.</summary>
    internal bool HasFilesOf(LoaderEntry entry) => entry.Initrds.Append(entry.Kernel).All(file => File.Exists(At(file.TrimStart('/'))));

    /// <summary>
    /// Adds a kernel, its initrd, and HackTree's segment of the initrd, as far as they are not there, whole, yet. Returns their paths on the partition.
    /// Throws <see cref="StoreException"/> if there is no space.
    /// </summary>
    internal IReadOnlyList<string> Add(string kernel, string initrd)
    {
        (string Name, byte[] Content)[] files = [Read(kernel), Read(initrd), (GrubMenu.Segment, InitrdPatch.Segment())];
        var added = files.Select(file => (Digest: Verity.Compute(file.Content), file.Name, file.Content))
            .Select(file => (Path: Existing(file.Digest) ?? $"{Kernels}/{file.Digest}/{file.Name}", file.Digest, file.Content)).ToList();
        var missing = added.FindAll(file => !File.Exists(At(file.Path)) || !File.ReadAllBytes(At(file.Path)).AsSpan().SequenceEqual(file.Content));
        RequireSpace(missing.Select(file => new LoadedFile(file.Digest, file.Content.LongLength)));
        foreach ((string file, _, byte[] content) in missing)
        {
            _ = Directory.CreateDirectory(System.IO.Path.GetDirectoryName(At(file))!);
            WriteFile(At(file), content);
        }

        // Also if nothing is missing: a command that was killed may have written a file and not made it durable.
        Sync();
        return [.. added.Select(file => $"/{file.Path}")];
    }

    /// <summary>
    /// Throws <see cref="StoreException"/> if files that are not there yet do not fit, even when those that no entry names are removed.
    /// </summary>
    internal void RequireSpace(IEnumerable<LoadedFile> files)
    {
        long needed = files.Where(file => Existing(file.Digest) is null).Sum(file => file.Length);
        long unused = FindUnused().SelectMany(Directory.EnumerateFiles).Sum(file => new FileInfo(file).Length);
        using SafeFileHandle folder = OpenPath.Directory(path);
        Sys.FreeSpaceOf(folder, out FreeSpace free).ThrowIfFailed("fstatfs", path);
        if (needed > 0 && free.Bytes + unused < needed + Spare)
        {
            throw new StoreException(
                $"{path}: the kernel and the initrd take {RootSpace.InMegabytes(needed + Spare)} MB on the EFI system partition, "
                + $"and {(free.Bytes + unused) / 1_000_000} MB are free; "
                + "remove a root that is not needed (`hacktree roots rm`), or other files there");
        }
    }

    /// <summary>The directories of files that no entry names any more.</summary>
    internal IEnumerable<string> FindUnused()
    {
        string named = string.Concat(EntryFiles().Select(File.ReadAllText));
        return Directory.Exists(KernelFolder)
            ? Directory.EnumerateDirectories(KernelFolder).Where(folder =>
                Digest.TryParse(System.IO.Path.GetFileName(folder).AsSpan(), out _)
                && !named.Contains(System.IO.Path.GetFileName(folder), StringComparison.OrdinalIgnoreCase))
            : [];
    }

    /// <summary>Removes the files that no entry names, and what an interrupted process left. The caller holds the lock.</summary>
    internal void RemoveUnused()
    {
        foreach (string folder in FindUnused().ToList())
        {
            Directory.Delete(folder, recursive: true);
        }

        foreach (string litter in Directory.EnumerateFiles(EntryFolder, $"*{Partial}").ToList())
        {
            File.Delete(litter);
        }
    }

    private IEnumerable<string> EntryFiles() => Directory.Exists(EntryFolder) ? Directory.EnumerateFiles(EntryFolder, "*.conf") : [];

    /// <summary>The path on the partition of a file with that digest, whatever its name; null if there is none.</summary>
    private string? Existing(Digest digest)
    {
        string folder = System.IO.Path.Combine(KernelFolder, $"{digest}");
        IEnumerable<string> files = Directory.Exists(folder) ? Directory.EnumerateFiles(folder) : [];
        string? file = files.FirstOrDefault(file => !file.EndsWith(Partial, StringComparison.Ordinal));
        return file is null ? null : System.IO.Path.GetRelativePath(path, file);
    }

    private static (string Name, byte[] Content) Read(string file) => (System.IO.Path.GetFileName(file), File.ReadAllBytes(file));

    private static void WriteFile(string file, byte[] content)
    {
        using DurableFile output = OpenPath.ToReplace(file, FileModes.PublicFile);
        output.Append(content);
        output.Complete();
    }

    internal void Sync() => BootChoice.SyncDisk(path);

    private string At(string name) => System.IO.Path.Combine(path, name);

    private static FileStatus StatusOf(string directory)
    {
        using SafeFileHandle handle = OpenPath.Directory(directory);
        Sys.Stat(handle, out FileStatus status).ThrowIfFailed("statx", directory);
        return status;
    }

    /// <summary>For the entry, directories, and the ends of clusters.</summary>
    private const long Spare = ImageLayout.MiB;
}
