using System.Text;
using HackTree.Checkout;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Boot;

/// <summary>
/// Turns an installed Debian, mounted somewhere, into the root /rN of its own filesystem, and back. Everything is renamed and nothing is
/// copied. Each step looks where the files are and does what is left to do. So an interrupted conversion can be continued or undone from
/// anywhere. ext4 makes renames durable in the order they were made.
/// </summary>
internal sealed class ImageConversion : IDisposable
{
    private const string DatabaseFolder = "var/lib";
    private const OpenFlags OpenDirectory = OpenFlags.ReadOnly | OpenFlags.Directory | OpenFlags.NoFollow;

    private readonly string top;
    private readonly string image;
    private readonly string uuid;
    private readonly SafeFileHandle topHandle;

    /// <summary>Prepares the conversion of <paramref name="image"/>, whose filesystem is mounted at <paramref name="top"/>.</summary>
    internal ImageConversion(string top, string uuid, string image)
    {
        (this.top, this.uuid, this.image) = (top, uuid, image);
        topHandle = Open(Sys.WorkingDirectory, ByteText.FromArgument(top), top);
    }

    /// <summary>Called before each change, with its description. A test throws here to simulate a power cut.</summary>
    internal Action<string>? OnStep { get; init; }

    /// <summary>A request to stop, which ends the conversion between two steps.</summary>
    internal CancellationToken Stop { get; init; }

    /// <summary>Converts, or continues a conversion. Returns whether there was anything to do.</summary>
    internal bool Run(string root)
    {
        ConversionJournal? journal = ConversionJournal.Read(top, image);
        if (journal is { State: ConversionState.Done })
        {
            return false;
        }

        if (journal is not null && journal.Root != root)
        {
            throw new StoreException(
                $"{image}: a conversion to /{journal.Root} was interrupted; go on with --root {journal.Root}, or take it back with --undo");
        }

        if (journal is null)
        {
            StockSystem.Require(top, root, image);
            RequireInitrd();
            RequireMovable(root);
        }

        string menu = InstalledGrub.Make(Encoding.Latin1.GetString(ReadGrub(InstalledGrub.MainFile)!), root, uuid, image);
        journal = (journal ?? Plan(root)) with { State = ConversionState.Converting };
        Step("write the journal", () => journal.Write(topHandle, image));
        Step($"make /{root}", () => Make(topHandle, root));
        using SafeFileHandle rootHandle = Open(topHandle, ByteText.FromArgument(root), root);
        foreach (byte[] name in Names(topHandle))
        {
            if (!IsKept(name, root))
            {
                Step($"move {ByteText.Quote(name)}", () => Move(topHandle, name, rootHandle, name));
            }
        }

        ShareVar(rootHandle);
        foreach (string name in new[] { ImageLayout.Boot, ImageLayout.Home, ImageLayout.PhysicalRoot })
        {
            Step($"make the mount point {name}", () => Make(rootHandle, name));
        }

        using SafeFileHandle boot = Open(topHandle, "boot"u8, "boot");
        byte[] segment = Encoding.ASCII.GetBytes(GrubMenu.Segment);
        Step("write the segment for the initrd", () => DurableFile.Write(boot, segment, InitrdPatch.Segment(), FileModes.PublicFile, $"{image}: /boot"));
        Step("add the menu", () => WriteGrub(journal.MenuFile, InstalledGrub.Add(ReadGrub(journal.MenuFile) ?? [], menu)));
        Step("complete the journal", () => (journal with { State = ConversionState.Done }).Write(topHandle, image));
        return true;
    }

    /// <summary>
    /// Throws if the segment would have no effect behind the initrd that the menu boots: that of the newest kernel. A symbolic link is not followed,
    /// because it may lead out of the image.
    /// </summary>
    private void RequireInitrd()
    {
        string boot = Path.Combine(top, ImageLayout.Boot);
        string version = KernelVersion.FindNewest(boot)
            ?? throw new StoreException($"{image}: /boot has no kernel with an initrd (vmlinuz-VERSION and initrd.img-VERSION)");
        string name = BootFolder.InitrdName(version);
        string path = Path.Combine(boot, name);
        if (new FileInfo(path).LinkTarget is null)
        {
            InitrdPatch.Require(path, $"{image}: /boot/{name}", Stop);
        }
    }

    /// <summary>Undoes a conversion, however far it came. Returns whether there was one.</summary>
    internal bool Undo()
    {
        if (ConversionJournal.Read(top, image) is not { } journal)
        {
            return false;
        }

        Step("write the journal", () => (journal with { State = ConversionState.Undoing }).Write(topHandle, image));
        Step("remove the menu", () => RemoveMenu(journal));
        using SafeFileHandle boot = Open(topHandle, "boot"u8, "boot");
        Step("remove the segment", () => IgnoreMissing(Sys.Unlink(boot, Encoding.ASCII.GetBytes(GrubMenu.Segment)), "unlinkat"));
        if (Sys.Open(topHandle, ByteText.FromArgument(journal.Root), OpenDirectory, out SafeFileHandle root) == Errno.None)
        {
            using (root)
            {
                Empty(root, journal);
            }

            Step(
                $"remove /{journal.Root}",
                () => Sys.RemoveDirectory(topHandle, ByteText.FromArgument(journal.Root)).ThrowIfFailed("rmdir", $"{image}: /{journal.Root}"));
        }

        Step("remove the journal", () => IgnoreMissing(Sys.Unlink(topHandle, ByteText.FromArgument(ConversionJournal.FileName)), "unlinkat"));
        Sys.Sync(topHandle).ThrowIfFailed("fsync", image);
        return true;
    }

    public void Dispose() => topHandle.Dispose();

    /// <summary>Refuses a system in which chattr(1) forbids a change that is to come, before the first change.</summary>
    private void RequireMovable(string root)
    {
        string[] changed =
        [
            ".", ImageLayout.Boot, InstalledGrub.Folder, $"{InstalledGrub.Folder}/{InstalledGrub.CustomFile}",
            $"{InstalledGrub.Folder}/{InstalledGrub.MainFile}", $"{ImageLayout.Boot}/{GrubMenu.Segment}",
            ImageLayout.Var, DatabaseFolder, ImageLayout.PackageDatabase,
        ];
        IEnumerable<byte[]> moved = Names(topHandle).Where(name => !IsKept(name, root));
        foreach (byte[] path in changed.Select(ByteText.FromArgument).Concat(moved))
        {
            int slash = path.AsSpan().LastIndexOf((byte)'/');
            ReadOnlySpan<byte> folder = slash < 0 ? "."u8 : path.AsSpan(0, slash);
            Errno errno = Sys.OpenBeneath(topHandle, folder, OpenFlags.ReadOnly | OpenFlags.Directory, out SafeFileHandle above);
            using (above)
            {
                if (errno == Errno.None && Sys.Stat(above, path.AsSpan(slash + 1), out FileStatus status) == Errno.None && status.IsFixed)
                {
                    throw Fixed(path);
                }
            }
        }
    }

    private StoreException Fixed(ReadOnlySpan<byte> path)
    {
        string shown = ByteText.Quote(path);
        return new StoreException(
            $"{image}: /{shown} is immutable or append-only, and cannot be moved or changed; "
            + $"lift that with `hacktree image edit {image} -- chattr -ia {shown}`, and try again");
    }

    private ConversionJournal Plan(string root)
    {
        string file = InstalledGrub.FileFor(Encoding.Latin1.GetString(ReadGrub(InstalledGrub.MainFile)!));
        return new ConversionJournal
        {
            Root = root,
            State = ConversionState.Converting,
            MenuFile = file,
            IsMenuFileNew = ReadGrub(file) is null,
            IsPhysicalRootNew = Sys.Stat(topHandle, ByteText.FromArgument(ImageLayout.PhysicalRoot), out _) != Errno.None,
        };
    }

    /// <summary>Leaves /var in place and moves the package database from it into the root. Makes the missing mount points.</summary>
    private void ShareVar(SafeFileHandle root)
    {
        Step("make the mount point var", () => Make(root, ImageLayout.Var));
        Step("make var/lib in the root", () => Make(root, DatabaseFolder));
        if (!HasDatabase(root))
        {
            Step("move the package database", () => MoveDatabase(topHandle, root));
        }

        Step("make the mount point var/lib/dpkg", () => Make(topHandle, ImageLayout.PackageDatabase));
    }

    /// <summary>Moves everything in the root back to the top.</summary>
    private void Empty(SafeFileHandle root, ConversionJournal journal)
    {
        if (HasDatabase(root))
        {
            Step("remove the mount point var/lib/dpkg", () => RemoveEmpty(topHandle, ImageLayout.PackageDatabase));
            Step("move the package database back", () => MoveDatabase(root, topHandle));
        }

        string[] made = journal.IsPhysicalRootNew ? [ImageLayout.PhysicalRoot] : [];
        string[] points = [DatabaseFolder, ImageLayout.Var, ImageLayout.Home, ImageLayout.Boot, .. made];
        foreach (string point in points)
        {
            Step($"remove the mount point {point}", () => RemoveEmpty(root, point));
        }

        foreach (byte[] name in Names(root))
        {
            Step($"move {ByteText.Quote(name)} back", () => Move(root, name, topHandle, name));
        }
    }

    private static bool IsKept(byte[] name, string root)
    {
        string text = Encoding.Latin1.GetString(name);
        return text == root
            || ImageLayout.Shared.Contains(text)
            || text is ImageLayout.Store or ImageLayout.FilesystemRoot
            || text.StartsWith(ConversionJournal.FileName, StringComparison.Ordinal);
    }

    private void RemoveMenu(ConversionJournal journal)
    {
        byte[] bytes = InstalledGrub.Remove(ReadGrub(journal.MenuFile) ?? []);
        if (bytes.Length == 0 && journal.IsMenuFileNew)
        {
            using SafeFileHandle folder = OpenGrub();
            IgnoreMissing(Sys.Unlink(folder, ByteText.FromArgument(journal.MenuFile)), "unlinkat");
        }
        else
        {
            WriteGrub(journal.MenuFile, bytes);
        }
    }

    private void Step(string what, Action change)
    {
        Stop.ThrowIfCancellationRequested();
        OnStep?.Invoke(what);
        change();
    }

    private byte[]? ReadGrub(string name)
    {
        string subject = $"{image}: /{InstalledGrub.Folder}/{name}";
        using SafeFileHandle folder = OpenGrub();
        Errno errno = Sys.OpenBeneath(folder, ByteText.FromArgument(name), OpenFlags.ReadOnly | OpenFlags.NonBlocking, out SafeFileHandle file);
        if (errno == Errno.ENOENT)
        {
            return null;
        }

        errno.ThrowIfFailed("openat2", subject);
        using var stream = new FileStream(file, FileAccess.Read);
        byte[] bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    }

    private void WriteGrub(string name, byte[] bytes)
    {
        using SafeFileHandle folder = OpenGrub();
        byte[] fileName = ByteText.FromArgument(name);
        uint mode = Sys.Stat(folder, fileName, out FileStatus status) == Errno.None ? status.Mode : FileModes.PublicFile;
        DurableFile.Write(folder, fileName, bytes, mode, $"{image}: /{InstalledGrub.Folder}/{name}");
    }

    private SafeFileHandle OpenGrub() => OpenBelow(topHandle, InstalledGrub.Folder);

    /// <summary>
    /// Opens a directory without following symbolic links, because an image may come from anywhere, and its links may lead out of it.
    /// </summary>
    private SafeFileHandle OpenBelow(SafeFileHandle directory, string path)
    {
        Errno errno = TryOpenBelow(directory, path, out SafeFileHandle handle);
        errno.ThrowIfFailed("openat2", $"{image}: {path}");
        return handle;
    }

    private static Errno TryOpenBelow(SafeFileHandle directory, string path, out SafeFileHandle handle) =>
        Sys.OpenBeneath(directory, ByteText.FromArgument(path.Length > 0 ? path : "."), OpenFlags.ReadOnly | OpenFlags.Directory, out handle);

    private static (string Folder, byte[] Name) Split(string path)
    {
        int slash = path.LastIndexOf('/');
        return (path[..Math.Max(slash, 0)], ByteText.FromArgument(path[(slash + 1)..]));
    }

    private SafeFileHandle Open(SafeFileHandle from, ReadOnlySpan<byte> path, string subject)
    {
        Sys.Open(from, path, OpenDirectory, out SafeFileHandle handle).ThrowIfFailed("openat", $"{image}: {subject}");
        return handle;
    }

    private void Make(SafeFileHandle directory, string path)
    {
        (string folder, byte[] name) = Split(path);
        using SafeFileHandle above = OpenBelow(directory, folder);
        Errno errno = Sys.MakeDirectory(above, name, FileModes.PublicDirectory);
        if (errno != Errno.EEXIST)
        {
            errno.ThrowIfFailed("mkdirat", $"{image}: {path}");
            Sys.SetMode(above, name, FileModes.PublicDirectory).ThrowIfFailed("fchmodat", $"{image}: {path}");
        }
    }

    private void RemoveEmpty(SafeFileHandle directory, string path)
    {
        (string folder, byte[] name) = Split(path);
        Errno errno = TryOpenBelow(directory, folder, out SafeFileHandle above);
        using (above)
        {
            errno = errno == Errno.None ? Sys.RemoveDirectory(above, name) : errno;
        }

        if (errno == Errno.ENOTEMPTY)
        {
            throw new StoreException(
                $"{image}: the mount point {path} is not empty; move what is in it elsewhere with `hacktree image edit`, and go on with --undo");
        }

        IgnoreMissing(errno, "rmdir");
    }

    private static bool HasDatabase(SafeFileHandle root)
    {
        (string folder, byte[] name) = Split(ImageLayout.PackageDatabase);
        Errno errno = TryOpenBelow(root, folder, out SafeFileHandle above);
        using (above)
        {
            return errno == Errno.None && Sys.Stat(above, name, out _) == Errno.None;
        }
    }

    private void MoveDatabase(SafeFileHandle from, SafeFileHandle to)
    {
        (string folder, byte[] name) = Split(ImageLayout.PackageDatabase);
        using SafeFileHandle source = OpenBelow(from, folder);
        using SafeFileHandle target = OpenBelow(to, folder);
        Move(source, name, target, name);
    }

    private void Move(SafeFileHandle from, byte[] name, SafeFileHandle to, byte[] newName)
    {
        Errno errno = Sys.RenameNew(from, name, to, newName);
        if (errno == Errno.EEXIST)
        {
            throw new StoreException(
                $"{image}: {ByteText.Quote(name)} is both at the top and in the root; "
                + "remove or rename one of the two with `hacktree image edit`, and try again");
        }

        if (errno == Errno.EPERM && Sys.Stat(from, name, out FileStatus status) == Errno.None && status.IsFixed)
        {
            throw new StoreException(
                $"{image}: {ByteText.Quote(name)} is immutable or append-only, and cannot be moved; "
                + $"lift that with chattr -ia in `hacktree image edit {image}`, "
                + "and run the same command again, or go back with --undo");
        }

        errno.ThrowIfFailed("renameat2", $"{image}: {ByteText.Quote(name)}");
    }

    private void IgnoreMissing(Errno errno, string call)
    {
        if (errno != Errno.ENOENT)
        {
            errno.ThrowIfFailed(call, image);
        }
    }

    private List<byte[]> Names(SafeFileHandle directory)
    {
        using SafeFileHandle listing = DirectoryReader.Reopen(directory, image);
        var reader = new DirectoryReader();
        reader.Start(listing, image);
        var names = new List<byte[]>();
        while (reader.Next())
        {
            names.Add(reader.Name.ToArray());
        }

        names.Sort((a, b) => a.AsSpan().SequenceCompareTo(b));
        return names;
    }
}
