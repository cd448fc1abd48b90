using HackTree.Checkout;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Boot;

/// <summary>
/// Makes a disk image that boots a tree. Nothing is mounted: a directory is filled, mkfs makes a filesystem from it inside the disk file,
/// and the boot loader is written to the same file. The file gets its name when it is whole.
/// </summary>
/// <remarks>
/// The image has no name while it is made, so a killed process leaves no image. It does leave the directory .NAME.PID.partial beside the
/// image's place. Only its maker can read the directory, and it stays until a user removes it.
/// </remarks>
public sealed class ImageCreation : IDisposable
{
    private const string FallbackRef = "image";

    private readonly ImageRequest request;
    private readonly string scratch;
    private readonly ImageContent content;
    private readonly CancellationToken stop;
    private StoreFormat format = new() { IgnoresMachineXattrs = true };
    private bool isScratchMade;

    /// <summary>Checks the request before anything is made. Throws <see cref="StoreException"/> if the image cannot be made.</summary>
    public ImageCreation(ImageRequest request, CancellationToken stop)
    {
        this.request = request;
        this.stop = stop;
        string output = Path.GetFullPath(request.Output);
        string folder = Path.GetDirectoryName(output) ?? "/";
        scratch = Path.Combine(folder, $".{Path.GetFileName(output)}.{Environment.ProcessId}.partial");
        content = new ImageContent(Path.Combine(scratch, "root"));
        Require(output, folder);
    }

    /// <summary>Called before each step, with a phrase that says what the step does; may be null.</summary>
    public Action<string>? OnStep { get; init; }

    /// <summary>Counts files that were added to the image's store, and files that were checked out.</summary>
    public Progress? Progress { get; init; }

    /// <summary>The lines of the tree's fstab for partitions that the disk does not have. Known when the image is made.</summary>
    public IReadOnlyList<FstabLine> ForeignLines { get; private set; } = [];

    /// <summary>Files of the tree that belong to one machine, and would be in each copy of the image. Known when the image is made.</summary>
    public IReadOnlyList<FoundTraces> Traces { get; private set; } = [];

    /// <summary>Makes the image from a directory.</summary>
    public void RunTree(string tree)
    {
        PathStatus.RequireText(tree, ImageLayout.WhyText);
        if (!Directory.Exists(tree))
        {
            throw new StoreException($"{tree}: no such directory");
        }

        string refName = RefFor(tree);
        Run(refName, store =>
        {
            using var additions = new Additions(store);
            ImportResult result = TreeImport.Run(additions, tree, new ImportOptions { Progress = Progress });
            var commit = new CommitRequest
            {
                Ref = refName,
                Subject = $"image of {Path.GetFileName(Path.GetFullPath(tree))}",
                Time = DateTimeOffset.UtcNow.ToUnixTimeSeconds(),
            };
            _ = Committer.Run(additions, result, commit);
        });
    }

    /// <summary>
    /// Makes the image from a commit of a store. <paramref name="revision"/> is the commit as the user named it. If it is a ref, the ref in
    /// the image has the same name.
    /// </summary>
    public void RunCommit(ObjectStore source, Digest commit, string revision)
    {
        string refName = RefName.IsAllowed(revision) && source.Refs.Find(revision) == commit ? revision : FallbackRef;
        format = new StoreFormat { IgnoresMachineXattrs = source.Format.IgnoresMachineXattrs };
        Run(refName, store => new StoreTransfer(source, store, Progress).Run(commit, refName));
    }

    /// <summary>Removes the directory that the image was made from.</summary>
    public void Dispose()
    {
        if (isScratchMade)
        {
            TreeRemoval.Remove(Sys.WorkingDirectory, ByteText.FromArgument(scratch), scratch);
        }
    }

    private void Run(string refName, Action<ObjectStore> fill)
    {
        // Only root may read the directory, because it contains passwords and keys.
        Sys.MakeDirectory(Sys.WorkingDirectory, ByteText.FromArgument(scratch), FileModes.OwnerOnly).ThrowIfFailed("mkdirat", scratch);
        isScratchMade = true;
        var filesystem = Guid.NewGuid();
        uint efi = (uint)Random.Shared.Next();
        BootMenu menu = Fill(refName, filesystem, efi, fill);
        using DurableFile output = OpenPath.ToReplace(request.Output, FileModes.PrivateFile);
        string disk = request.Format == DiskFormat.Raw ? output.Path : Path.Combine(scratch, "disk");
        using (FileStream file = File.Create(disk))
        {
            file.SetLength(request.Size);
        }

        Step("making the filesystem");
        Partition linux = request.Uefi ? AddEfi(disk, efi, menu) : AddGrub(disk, menu);
        Ext4.Make(disk, linux, content.At(""), filesystem, stop);
        stop.ThrowIfCancellationRequested();
        Ext4.Replace(disk, linux, content.CorrectRecords(request.Roots, path => Ext4.InodeOf(disk, linux, path)), scratch);
        stop.ThrowIfCancellationRequested();
        if (request.Format != DiskFormat.Raw)
        {
            Step($"converting to {DiskFormats.NameOf(request.Format)}");
            DiskFormats.Convert(disk, DiskFormat.Raw, output.Path, request.Format, request.Output, stop);
            stop.ThrowIfCancellationRequested();
        }

        output.Complete(ExistingFile.Kept);
    }

    /// <summary>
    /// Fills the directory that becomes the filesystem. The store in it is closed at the end, because nothing may change the directory
    /// while it is copied.
    /// </summary>
    private BootMenu Fill(string refName, Guid filesystem, uint efi, Action<ObjectStore> fill)
    {
        Step("taking the tree into the image's store");
        using ObjectStore store = content.CreateStore(format, stop);
        fill(store);
        stop.ThrowIfCancellationRequested();
        Digest commit = Revision.Resolve(store, refName);
        content.AddShared(store, commit, refName);
        BootMenu menu = MakeMenu(filesystem);
        AddSegment(menu);
        foreach (string root in request.Roots)
        {
            stop.ThrowIfCancellationRequested();
            Step($"checking out {root}");
            content.AddRoot(store, commit, refName, root, Progress);
            if (request.Uefi)
            {
                content.MountEfi(root, efi);
            }
        }

        Traces = MachineTraces.Find(store.Packs, store.Packs.ReadCommit(commit).Tree);
        string[] own = request.Uefi ? [$"LABEL={Ext4.Label}", EfiPartition.LabelSource, EfiPartition.SourceOf(efi)] : [$"LABEL={Ext4.Label}"];
        ForeignLines = [.. Fstab.Read(content.At(request.Roots[0])).Where(line => line.NeedsPartition && !own.Contains(line.Source))];
        return menu;
    }

    private BootMenu MakeMenu(Guid filesystem)
    {
        string version = KernelVersion.FindNewest(content.At(ImageLayout.Boot))
            ?? throw new StoreException(
                "the tree has no kernel with an initrd (/boot/vmlinuz-VERSION and /boot/initrd.img-VERSION); "
                + "install linux-image-amd64 and initramfs-tools in it");
        string more = request.KernelOptions.Length > 0 ? $" {request.KernelOptions}" : "";
        string options = $"root=UUID={filesystem} ro console=tty0 console=ttyS0,115200{more}";
        return new BootMenu(version, request.Roots, request.DefaultRoot ?? request.Roots[0], options, request.MenuSeconds);
    }

    /// <summary>
    /// Adds the segment that boots a root by name. Boot loaders load two files as one initrd, so the segment is a file of its own: for GRUB in /boot, for
    /// systemd-boot on the EFI system partition. This comes before the checkouts, so that an unfit initrd is found early.
    /// </summary>
    private void AddSegment(BootMenu menu)
    {
        string boot = content.At(ImageLayout.Boot);
        InitrdPatch.Require(Path.Combine(boot, menu.Initrd), $"the tree's /boot/{menu.Initrd}", stop);
        if (!request.Uefi)
        {
            File.WriteAllBytes(Path.Combine(boot, GrubMenu.Segment), InitrdPatch.Segment());
        }
    }

    private Partition AddGrub(string disk, BootMenu menu)
    {
        string folder = Path.Combine(content.At(ImageLayout.Boot), "grub");
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "grub.cfg"), menu.GrubConfig());
        File.WriteAllText(Path.Combine(folder, GrubMenu.EnvironmentFile), GrubMenu.EmptyEnvironment);
        (byte[] bootCode, byte[] core) = GrubImage.Make(scratch);
        Partition linux = ImageLayout.Linux(request.Size);
        using FileStream file = File.OpenWrite(disk);
        file.Write(PartitionTable.Mbr(bootCode, (uint)Random.Shared.Next(), linux));
        file.Write(core);
        return linux;
    }

    private Partition AddEfi(string disk, uint serial, BootMenu menu)
    {
        string boot = content.At(ImageLayout.Boot);
        (Partition efi, Partition linux) = ImageLayout.WithEfi(request.Size, EfiPartition.LengthFor(boot, menu));
        if (linux.Length < Smallest)
        {
            throw new StoreException($"{request.Size / ImageLayout.MiB} MiB leave no room for a root beside the EFI system partition; give more with --size");
        }

        EfiPartition.Make(disk, efi, serial, boot, menu, scratch);
        (byte[] beginning, byte[] end) = PartitionTable.Gpt(request.Size, efi, linux);
        using FileStream file = File.OpenWrite(disk);
        file.Write(beginning);
        file.Position = request.Size - end.Length;
        file.Write(end);
        return linux;
    }

    private void Require(string output, string folder)
    {
        if (!Sys.IsRoot)
        {
            throw new StoreException(
                "only root can give the files of an image their owners; run it as root (it mounts nothing, so root in a container will do)");
        }

        PathStatus.RequireText(output, ImageLayout.WhyText);
        if (Path.Exists(output))
        {
            throw new StoreException($"{output}: it exists already; choose another name, or remove it first");
        }

        if (!Directory.Exists(folder))
        {
            throw new StoreException($"{folder}: no such directory");
        }

        if (request.Size < Smallest || request.Size % ImageLayout.MiB != 0)
        {
            throw new StoreException($"an image must have at least {Smallest / ImageLayout.MiB} MiB, and whole ones; give more with --size");
        }

        if (!request.Uefi && request.Size > LargestMbr)
        {
            throw new StoreException("an image for BIOS can have 2 TiB at most; make a larger one with --uefi");
        }

        if (output.Contains('"'))
        {
            throw new StoreException($"{output}: debugfs cannot take a path with a double quote in it; choose another name");
        }

        RequireRoots();

        // A missing program is reported before minutes of work.
        Tool[] loader = request.Uefi ? [Tool.MakeFat, Tool.CopyToFat] : [Tool.GrubImage];
        Tool[] format = request.Format == DiskFormat.Qcow2 ? [Tool.DiskImage] : [];
        Tool[] needed = [Tool.MakeExt4, Tool.DebugExt4, .. loader, .. format];
        foreach (Tool tool in needed)
        {
            _ = tool.Path;
        }
    }

    private void RequireRoots()
    {
        if (request.Roots.FirstOrDefault(name => !ImageLayout.IsRootName(name)) is { } bad)
        {
            throw new StoreException(
                $"'{bad}' cannot name a root; use letters, digits, '-', '_' and '.', a letter first, such as r0, "
                + "and none of objects, boot, home, var and sysroot");
        }

        if (request.Roots.Count == 0 || request.Roots.Distinct().Count() != request.Roots.Count)
        {
            throw new StoreException("each root needs a name of its own; give for example --roots r0,r1");
        }

        if (request.Uefi && request.Roots.GroupBy(name => name, StringComparer.OrdinalIgnoreCase).FirstOrDefault(same => same.Count() > 1) is { } alike)
        {
            throw new StoreException(
                $"{string.Join(" and ", alike)} differ only in case, and the EFI system partition knows no case; give the roots other names");
        }

        if (request.DefaultRoot is { } name && !request.Roots.Contains(name))
        {
            throw new StoreException($"{name} is not among the roots {string.Join(", ", request.Roots)}; name one of them with --default");
        }
    }

    private void Step(string what) => OnStep?.Invoke(what);

    /// <summary>
    /// The ref for a tree that is committed for the image: the ID and VERSION_CODENAME of its os-release file, if it has them.
    /// </summary>
    private static string RefFor(string tree)
    {
        string file = Path.Combine(tree, "usr/lib/os-release");
        if (!File.Exists(file))
        {
            return FallbackRef;
        }

        var values = File.ReadLines(file)
            .Select(line => line.Split('=', 2))
            .Where(pair => pair.Length == 2)
            .GroupBy(pair => pair[0])
            .ToDictionary(group => group.Key, group => group.Last()[1].Trim('"'));
        string name = $"{values.GetValueOrDefault("ID")}/{values.GetValueOrDefault("VERSION_CODENAME")}";
        return RefName.IsAllowed(name) ? name : FallbackRef;
    }

    private const long Smallest = 64 * ImageLayout.MiB;

    // In an MBR, the number of a sector has 32 bits.
    private const long LargestMbr = uint.MaxValue * (long)PartitionTable.SectorSize;
}
