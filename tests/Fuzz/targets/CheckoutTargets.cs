using HackTree.Checkout;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Tests.Fuzz;

/// <summary>The decoders of archives and of OSTree's objects.</summary>
internal static class CheckoutTargets
{
    /// <summary>Decoders of packed data give as much as their reader asks for. This much is asked for: a bomb is not read to its end.</summary>
    internal const int MostUnpacked = 16 * 1024 * 1024;

    // The largest dictionary or window that is accepted has 128 MiB.
    private const long WindowMemory = 300 * 1024 * 1024;

    private static readonly byte[][] TarWords =
    [
        .. StoreTargets.Words(
            "ustar\0" + "00", "ustar  \0", "././@LongLink", "0000644\0", "17777777777\0", "11 path=abc\n", "GNU.sparse.major=1", "GNU.sparse.map=0,1", "GNU.sparse.realsize=",
            "SCHILY.xattr.user.a=", "SCHILY.acl.access=user::rw-", "LIBARCHIVE.xattr.user.a=QQ", ".wh.", ".wh..wh..opq", "../", "/", "9 size=0\n"),
        new byte[512],
    ];

    public static IEnumerable<FuzzTarget> All(FuzzPlace place) =>
    [
        new("tar", ReadTar) { Refusals = [typeof(TarException)], Seal = SealTar, Words = TarWords },
        new("tar-import", bytes => Import(place, bytes))
        {
            Refusals = [typeof(TarException), typeof(StoreException)],
            Seal = SealTar,
            Words = TarWords,
            Memory = 16 * 1024 * 1024,
            Burst = 300,
        },
        new("pax", ReadPax) { Words = TarWords },
        new("packed", ReadPacked)
        {
            Refusals = [typeof(TarException)], Memory = WindowMemory, Time = TimeSpan.FromSeconds(3), TimePerByte = TimeSpan.FromMilliseconds(1), Burst = 300,
        },
        new("ostree-commit", bytes => OstreeCommit.Parse(Digest.Of(bytes), bytes) is not null) { Refusals = [typeof(FormatException)] },
        new("ostree-header", ReadHeader) { Refusals = [typeof(FormatException)] },
        new("ostree-tree", bytes => ReadOstree(place, bytes, "dirtree", (repository, digest) => _ = OstreeImport.Listing.Read(repository, digest)))
        {
            Refusals = [typeof(CorruptException)],
        },
        new("ostree-file", bytes => ReadOstree(place, bytes, "filez", ReadFile))
        {
            // .NET's inflater says so of data that is damaged; the import makes a sentence of it.
            Refusals = [typeof(CorruptException), typeof(InvalidDataException)],
        },
        new("ostree-config", bytes => ReadConfig(place, bytes)) { Refusals = [typeof(StoreException)], Words = StoreTargets.Words("mode=archive", "[core]", "mode=bare") },
    ];

    internal static byte[] SealTar(byte[] bytes)
    {
        for (int block = 0; block + TarHeader.BlockSize <= bytes.Length; block += TarHeader.BlockSize)
        {
            if (bytes.AsSpan(block + TarHeader.MagicOffset).StartsWith("ustar"u8))
            {
                TarHeader.Seal(bytes.AsSpan(block, TarHeader.BlockSize));
            }
        }

        return bytes;
    }

    private static bool ReadTar(byte[] bytes)
    {
        byte[] buffer = new byte[4096];
        var reader = new TarReader(new MemoryStream(bytes));
        for (int entries = 0; reader.Next(); entries++)
        {
            Assert.InRange(entries, 0, bytes.Length / TarHeader.BlockSize);
            Assert.False(reader.Path.IsEmpty);
            Assert.True(reader.Size >= 0 && XattrSet.IsCanonical(reader.Xattrs) && reader.Metadata.Mode <= FileMetadata.ModeMask);
            Assert.True(reader.Kind != EntryKind.Symlink || reader.LinkTarget.Length is > 0 and <= 4095);

            // A file may claim to be all hole and as large as a disk: then its beginning will do. Half of the files are passed over.
            for (int reads = 0; entries % 2 == 0 && reads < 1000 && reader.ReadContent(buffer) > 0; reads++)
            {
            }
        }

        return true;
    }

    /// <summary>Lays an archive into a tree, and once more over it as a layer with whiteouts.</summary>
    private static bool Import(FuzzPlace place, byte[] bytes)
    {
        using var additions = new Additions(place.Store);
        var tree = new LayeredTree(additions);
        _ = tree.AddArchive(new MemoryStream(bytes), new ImportOptions(), hasWhiteouts: false);
        _ = tree.AddArchive(new MemoryStream(bytes), new ImportOptions(), hasWhiteouts: true);
        return tree.Build().Files >= 0;
    }

    private static bool ReadPax(byte[] bytes)
    {
        var values = new PaxValues();
        string? fault = values.Apply(bytes);
        if (fault is null && values.ListFault is null)
        {
            Assert.True(XattrSet.IsCanonical(values.EncodeXattrs()));
        }

        if (PosixAcl.Parse(bytes, out byte[] list) is null && list.Length > 0)
        {
            Assert.NotNull(PosixAcl.Format(list));
        }

        _ = PosixAcl.Format(bytes);
        _ = PaxRecords.TryTime(bytes, out _);
        return fault is null;
    }

    private static bool ReadPacked(byte[] bytes)
    {
        byte[] buffer = new byte[64 * 1024];
        using Stream unpacked = TarPacking.Open(new MemoryStream(bytes));
        for (int left = MostUnpacked; left > 0 && unpacked.Read(buffer) is > 0 and int count; left -= count)
        {
        }

        return true;
    }

    private static bool ReadHeader(byte[] bytes)
    {
        var header = OstreeHeader.OfMetadata(bytes);
        _ = header.Encode();
        Assert.True(XattrSet.IsCanonical(header.Xattrs()));
        return true;
    }

    private static bool ReadOstree(FuzzPlace place, byte[] bytes, string kind, Action<OstreeRepository, Digest> read)
    {
        Digest digest = Digest.Of(bytes);
        place.Write("ostree/config", "[core]\nmode=archive\n"u8.ToArray());
        string path = place.Write($"ostree/objects/{digest.ToString()[..2]}/{digest.ToString()[2..]}.{kind}", bytes);
        try
        {
            using var repository = OstreeRepository.Open(place.At("ostree"));
            read(repository, digest);
            return true;
        }
        finally
        {
            File.Delete(path);
        }
    }

    private static void ReadFile(OstreeRepository repository, Digest digest)
    {
        using OstreeFile file = repository.OpenFile(digest);
        try
        {
            _ = file.Header.Xattrs();
        }
        catch (FormatException)
        {
            // The import makes a sentence of it.
        }

        byte[] buffer = new byte[64 * 1024];
        for (int left = MostUnpacked; left > 0 && file.Content.Read(buffer) is > 0 and int count; left -= count)
        {
        }
    }

    private static bool ReadConfig(FuzzPlace place, byte[] bytes)
    {
        place.Write("ostree-config/config", bytes);
        place.Write("ostree-config/refs/heads/main", bytes);
        using var repository = OstreeRepository.Open(place.At("ostree-config"));
        _ = repository.Resolve("main");
        return true;
    }
}
