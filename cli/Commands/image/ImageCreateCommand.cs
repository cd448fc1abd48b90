using System.CommandLine;
using System.CommandLine.Parsing;
using System.Diagnostics;
using System.Globalization;
using HackTree.Boot;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Cli;

internal sealed class ImageCreateCommand : Verb
{
    private const long DefaultSize = 4L << 30;

    private readonly Option<string> tree = new("--tree")
    {
        Description = "The content of the roots: a directory, or a commit.",
        HelpName = "TREE|COMMIT",
        Required = true,
    };

    private readonly Option<string> output = new("-o", "--output") { Description = "The image to make.", HelpName = "FILE", Required = true };
    private readonly Option<long?> size = new("--size")
    {
        Description = "Size of the disk, such as 8G. Default: 4G.",
        HelpName = "SIZE",
        CustomParser = ParseSize,
    };

    private readonly Option<string> roots = new("--roots")
    {
        Description = "Names of the roots. Each is a checkout of the tree.",
        HelpName = "r0,r1",
        DefaultValueFactory = _ => "r0",
    };

    private readonly Option<string?> defaultRoot = new("--default")
    {
        Description = "The root that boots if nobody chooses. Default: the first.",
        HelpName = "ROOT",
    };

    private readonly Option<string?> format = new("--format")
    {
        Description = "raw or qcow2. Default: the ending of FILE tells.",
        HelpName = "raw|qcow2",
    };

    private readonly Option<bool> uefi = new("--uefi") { Description = "Boot by UEFI (GPT, systemd-boot) instead of BIOS (MBR, GRUB)." };
    private readonly Option<string?> append = new("--append") { Description = "Further options for the kernel.", HelpName = "OPTIONS" };
    private readonly Option<int?> wait;

    internal ImageCreateCommand()
        : base(
            "create",
            "Make a disk that boots from a tree: a store, roots of hardlinks, a boot loader.",
            "hacktree image create --tree ./rootfs -o debian.qcow2 --roots r0,r1",
            "hacktree image create --tree debian/bookworm -o disk.img --size 8G --uefi")
    {
        Details = "Needs root, but not the right to mount, so it runs in a container. The tree must have a kernel and an initrd of "
            + "initramfs-tools in /boot. Only root can read the image, because the tree's passwords and keys are in it.";
        AcceptOnly(format, "raw", "qcow2");
        OutputFile.RefuseStandard(output);
        tree.CompletionSources.Add(Completions.Refs);
        foreach (Option option in new Option[] { tree, output, size, roots, defaultRoot, format, uefi, append })
        {
            Add(option);
        }

        wait = AddNumber("How long the boot menu waits, in seconds. Default: 3.", "--menu");
    }

    protected override int Run(Session session)
    {
        long started = Stopwatch.GetTimestamp();
        var request = new ImageRequest
        {
            Output = session.Get(output)!,
            Format = Format(session),
            Size = session.Get(size) ?? DefaultSize,
            Roots = session.Get(roots)!.Split(','),
            DefaultRoot = session.Get(defaultRoot),
            Uefi = session.Get(uefi),
            KernelOptions = KernelOptions(session.Get(append)),
            MenuSeconds = session.Get(wait) ?? 3,
        };
        using var creation = new ImageCreation(request, Session.Stop) { OnStep = session.Note };
        Make(session, creation, session.Get(tree)!);
        if (creation.ForeignLines.Count > 0)
        {
            session.Note(ImageText.Foreign(creation.ForeignLines));
        }

        if (creation.Traces.Count > 0)
        {
            session.Note(ImageText.Traces(creation.Traces));
        }

        string length = HumanText.Bytes(new FileInfo(request.Output).Length), time = HumanText.Duration(Stopwatch.GetElapsedTime(started));
        string run = $"hacktree image run {request.Output}{(request.Uefi ? " --uefi" : "")}";
        session.Note($"{request.Output}: {length}; {time}; boot it with `{run}`");
        return ExitCode.Done;
    }

    protected override string Undone(Session session) => $"{session.Get(output)} was not made";

    /// <summary>Makes the image. A name that is both a directory's and a commit's means the directory.</summary>
    private static void Make(Session session, ImageCreation creation, string name)
    {
        if (PathStatus.IsDirectory(name))
        {
            creation.RunTree(name);
            return;
        }

        using ObjectStore store = session.OpenStore();
        Digest commit = Revision.Resolve(store, name);
        creation.RunCommit(store, commit, name);
    }

    private DiskFormat Format(Session session)
    {
        string file = session.Get(output)!;
        return session.Get(format) switch
        {
            "raw" => DiskFormat.Raw,
            "qcow2" => DiskFormat.Qcow2,
            _ => DiskFormats.OfName(file)
                ?? throw new UsageException($"{file}: its name does not tell the format; end it in .qcow2 or .img, or give --format"),
        };
    }

    private static string KernelOptions(string? given) =>
        given is null || Commit.IsLine(given) ? given ?? "" : throw new UsageException("the kernel's options must be one line of text");

    /// <summary>Reads a size as people type it: 512M, 4G, 1T; bytes without a letter.</summary>
    private static long? ParseSize(ArgumentResult result)
    {
        const string Units = "KMGT";
        string text = result.Tokens[0].Value;
        int unit = text.Length > 0 ? Units.IndexOf(char.ToUpperInvariant(text[^1])) : -1;
        long factor = 1L << (10 * (unit + 1));
        string digits = unit < 0 ? text : text[..^1];
        if (long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out long number) && number <= long.MaxValue / factor)
        {
            return number * factor;
        }

        result.AddError($"'{text}' is no size; write a number and K, M, G or T, such as 4G");
        return 0;
    }
}
