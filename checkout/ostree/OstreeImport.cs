using System.Security.Cryptography;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Checkout;

/// <summary>
/// Reads trees of a repository of OSTree into a store. Each directory and each file is read once, however many commits have it. A file's content
/// gets its name in the store only after it was compared with its checksum. OSTree keeps no times, so all are 0, as in its checkouts.
/// </summary>
internal sealed class OstreeImport(Additions additions, OstreeRepository repository, ImportOptions options)
{
    private readonly Dictionary<Digest, Known> files = [];
    private readonly Dictionary<Digest, Known> directories = [];
    private readonly Dictionary<Digest, Known> metadata = [];
    private readonly byte[] buffer = GC.AllocateUninitializedArray<byte>(Blobs.BufferSize);

    /// <summary>Reads the tree of a commit.</summary>
    internal ImportResult Run(OstreeCommit commit)
    {
        Known tree = ReadTree(commit.Tree), root = Metadata(commit.Metadata);
        return new ImportResult(tree.Digest, root.Metadata, root.Xattrs, tree.Files, tree.Bytes, []);
    }

    /// <summary>Reads a directory with all below it. It does not recurse: a hostile repository may nest directories to any depth.</summary>
    private Known ReadTree(Digest root)
    {
        if (directories.TryGetValue(root, out Known? known))
        {
            return known;
        }

        var above = new Stack<Listing>();
        var listing = Listing.Read(repository, root);
        while (true)
        {
            additions.Store.Stop.ThrowIfCancellationRequested();
            if (listing.NextDirectory is { } below && !directories.ContainsKey(below))
            {
                above.Push(listing);
                listing = Listing.Read(repository, below);
                continue;
            }

            if (listing.NextDirectory is not null)
            {
                listing.Pass();
                continue;
            }

            Known done = Build(listing);
            directories.Add(listing.Checksum, done);
            if (!above.TryPop(out Listing? outer))
            {
                return done;
            }

            listing = outer;
        }
    }

    private Known Build(Listing listing)
    {
        var builder = new TreeBuilder();
        long count = 0, bytes = 0;
        foreach ((byte[] name, Digest checksum) in listing.Files)
        {
            additions.Store.Stop.ThrowIfCancellationRequested();
            Known file = ReadFile(checksum, name);
            Add(listing, builder, file.AsEntry(name));
            (count, bytes) = (Sum(listing, count, 1), Sum(listing, bytes, file.Size));
        }

        foreach ((byte[] name, Digest tree, Digest meta) in listing.Directories)
        {
            Known below = directories[tree];
            Add(listing, builder, Metadata(meta).AsEntry(name, below.Digest));
            (count, bytes) = (Sum(listing, count, below.Files), Sum(listing, bytes, below.Bytes));
        }

        Tree built = builder.TryBuild() ?? throw repository.Fault(listing.Checksum, Listing.Kind, "it has a name twice");
        return new Known { Kind = EntryKind.Directory, Digest = additions.AddTree(built), Files = count, Bytes = bytes };
    }

    private void Add(Listing listing, TreeBuilder builder, in TreeEntry entry)
    {
        if (builder.TryAdd(entry) is { } fault)
        {
            throw repository.Fault(listing.Checksum, Listing.Kind, $"'{ByteText.Quote(entry.Name)}': {fault}");
        }
    }

    // Directories that share directories may make a tree of more names than there are numbers.
    private long Sum(Listing listing, long sum, long more) =>
        sum <= long.MaxValue - more ? sum + more : throw repository.Fault(listing.Checksum, Listing.Kind, "it holds more than a tree can");

    private Known Metadata(Digest checksum)
    {
        if (!metadata.TryGetValue(checksum, out Known? known))
        {
            const string kind = "dirmeta";
            OstreeHeader header = repository.Parse(checksum, kind, bytes => OstreeHeader.OfMetadata(bytes));
            if (header.Type != FileType.Directory || !header.IsPossible)
            {
                throw repository.Fault(checksum, kind, "no directory can have this mode or owner");
            }

            known = Describe(EntryKind.Directory, header, checksum, kind);
            RequireHeld(known, "a directory");
            metadata.Add(checksum, known);
        }

        return known;
    }

    private Known ReadFile(Digest checksum, byte[] name)
    {
        if (files.TryGetValue(checksum, out Known? known))
        {
            return known;
        }

        using OstreeFile file = repository.OpenFile(checksum);
        OstreeHeader header = file.Header;
        bool isLink = header.Type == FileType.Symlink;
        if (!header.IsPossible || (!isLink && header.Type != FileType.Regular) || (isLink && header.Target.Length is 0 or > 4095))
        {
            throw repository.Fault(checksum, repository.Kind, "it is neither a file nor a symbolic link that a tree can have");
        }

        known = Describe(isLink ? EntryKind.Symlink : EntryKind.Regular, header, checksum, repository.Kind);
        if (isLink)
        {
            RequireHeld(known, ByteText.Quote(name));
        }

        try
        {
            known.Digest = ReadContent(file, checksum, known);
        }
        catch (UnheldException e)
        {
            throw new UnheldException(ByteText.Quote(name), e.Unheld, isCommit: true);
        }

        files.Add(checksum, known);
        options.Progress?.Add(known.Size);
        return known;
    }

    /// <summary>Reads the content, compares header and content with the checksum, and stores the content; none for a link.</summary>
    private Digest ReadContent(OstreeFile file, Digest checksum, Known known)
    {
        using var sha = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        sha.AppendData(file.Header.Encode());
        long left = file.Size;
        if (known.Kind != EntryKind.Regular || left == 0)
        {
            RequireEnd();
            return known.Kind == EntryKind.Regular ? additions.AddBytes([], known.Metadata, known.Xattrs) : default;
        }

        known.Size = left;
        if (left > buffer.Length)
        {
            return additions.AddStream(Read, left, known.Metadata, known.Xattrs);
        }

        Span<byte> content = buffer.AsSpan(0, (int)left);
        Read(content);
        return additions.AddBytes(content, known.Metadata, known.Xattrs);

        void Read(Span<byte> destination)
        {
            Fill(file.Content, destination, checksum);
            sha.AppendData(destination);
            left -= destination.Length;
            if (left == 0)
            {
                RequireEnd();
            }
        }

        void RequireEnd()
        {
            Span<byte> more = stackalloc byte[1];
            Span<byte> actual = stackalloc byte[Digest.Size];
            if (ReadSome(file.Content, more, checksum) > 0 || !sha.TryGetHashAndReset(actual, out _) || new Digest(actual) != checksum)
            {
                throw repository.Wrong(checksum, repository.Kind);
            }
        }
    }

    private void Fill(Stream content, Span<byte> destination, Digest checksum)
    {
        while (!destination.IsEmpty)
        {
            int count = ReadSome(content, destination, checksum);
            destination = count > 0 ? destination[count..] : throw repository.Wrong(checksum, repository.Kind);
        }
    }

    private int ReadSome(Stream content, Span<byte> destination, Digest checksum)
    {
        try
        {
            return content.Read(destination);
        }
        catch (InvalidDataException)
        {
            throw repository.Wrong(checksum, repository.Kind);
        }
    }

    private Known Describe(EntryKind kind, OstreeHeader header, Digest checksum, string objectKind)
    {
        byte[] xattrs;
        try
        {
            xattrs = XattrSet.Where(header.Xattrs(), IsWanted).ToArray();
        }
        catch (FormatException)
        {
            throw repository.Fault(checksum, objectKind, "its extended attributes are none that a file can have");
        }

        ushort mode = kind == EntryKind.Symlink ? FileMetadata.SymlinkMode : header.Metadata.Mode;
        xattrs = kind == EntryKind.Symlink ? xattrs : AclAndMode.Settle(xattrs, ref mode);
        byte[] target = kind == EntryKind.Symlink ? header.Target : [];
        return new Known { Kind = kind, Metadata = header.Metadata with { Mode = mode }, Xattrs = xattrs, Target = target };
    }

    private bool IsWanted(ReadOnlySpan<byte> attribute) =>
        !options.LeavesOut(attribute) && !additions.Store.Format.PassesOver(attribute);

    /// <summary>Throws if a checkout could not restore the metadata of an entry that is no file.</summary>
    private void RequireHeld(Known known, string subject)
    {
        if (additions.Trials.Find(known.Kind, known.Metadata, known.Xattrs) is { } unheld)
        {
            throw new UnheldException(subject, unheld, isCommit: true);
        }
    }

    /// <summary>What became of an object of OSTree.</summary>
    private sealed class Known
    {
        internal required EntryKind Kind { get; init; }

        internal FileMetadata Metadata { get; init; }

        internal byte[] Xattrs { get; init; } = [];

        internal byte[] Target { get; init; } = [];

        internal long Size { get; set; }

        internal Digest Digest { get; set; }

        /// <summary>The number of entries below a directory that are no directories, and the sum of their sizes.</summary>
        internal long Files { get; init; }

        internal long Bytes { get; init; }

        internal TreeEntry AsEntry(byte[] name, Digest tree = default) => new()
        {
            Kind = Kind,
            Name = name,
            Metadata = Metadata,
            Xattrs = Xattrs,
            Size = Size,
            Digest = tree.IsNone ? Digest : tree,
            Target = Target,
        };
    }

    /// <summary>A directory of OSTree: <c>(a(say)a(sayay))</c>. Its directories are gone through one by one.</summary>
    internal sealed class Listing(Digest checksum, List<(byte[] Name, Digest Checksum)> files, List<(byte[] Name, Digest Tree, Digest Metadata)> directories)
    {
        internal const string Kind = "dirtree";

        private int next;

        internal Digest Checksum => checksum;

        internal List<(byte[] Name, Digest Checksum)> Files => files;

        internal List<(byte[] Name, Digest Tree, Digest Metadata)> Directories => directories;

        internal Digest? NextDirectory => next < directories.Count ? directories[next].Tree : null;

        internal void Pass() => next++;

        internal static Listing Read(OstreeRepository repository, Digest checksum) => repository.Parse(checksum, Kind, bytes =>
        {
            Range[] at = Variant.Members(bytes, Variant.Bytes, Variant.Bytes);
            var files = new List<(byte[] Name, Digest Checksum)>();
            byte[] list = bytes[at[0]];
            foreach (Range element in Variant.Elements(list, 1))
            {
                ReadOnlySpan<byte> pair = list.AsSpan(element);
                Range[] parts = Variant.Members(pair, Variant.Bytes, Variant.Bytes);
                files.Add((Name(repository, checksum, pair[parts[0]]), OstreeCommit.Checksum32(pair[parts[1]])));
            }

            var directories = new List<(byte[] Name, Digest Tree, Digest Metadata)>();
            list = bytes[at[1]];
            foreach (Range element in Variant.Elements(list, 1))
            {
                ReadOnlySpan<byte> triple = list.AsSpan(element);
                Range[] parts = Variant.Members(triple, Variant.Bytes, Variant.Bytes, Variant.Bytes);
                Digest tree = OstreeCommit.Checksum32(triple[parts[1]]), metadata = OstreeCommit.Checksum32(triple[parts[2]]);
                directories.Add((Name(repository, checksum, triple[parts[0]]), tree, metadata));
            }

            return new Listing(checksum, files, directories);
        });

        private static byte[] Name(OstreeRepository repository, Digest checksum, ReadOnlySpan<byte> text)
        {
            ReadOnlySpan<byte> name = Variant.Text(text);
            return EntryName.IsValid(name) ? name.ToArray()
                : throw repository.Fault(checksum, Kind, $"'{ByteText.Quote(name)}' is no name that an entry of a directory can have");
        }
    }
}
