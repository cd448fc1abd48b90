using HackTree.Checkout;
using HackTree.Model;

namespace HackTree.Tests.Checkout;

/// <summary>
/// Archives with random damage, by fixed seeds, give entries that keep the reader's promises, or a <see cref="TarException"/>.
/// </summary>
public sealed class TarFuzzTests
{
    private const int Mutations = 10_000;
    private static ReadOnlySpan<byte> Types => "\0001234567xXgLKSMVDN"u8;

    private static ReadOnlySpan<byte> Telling => "0179=\n\0\u007f/.:% "u8;

    private readonly byte[] buffer = new byte[4096];

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void A_damaged_archive_gives_entries_or_one_sentence(int seed)
    {
        var random = new Random(seed);
        byte[][] archives = [TarRoundTripTests.Sample, Vendors()];
        int refused = 0;
        for (int i = 0; i < Mutations; i++)
        {
            byte[] archive = Mutate((byte[])archives[i % 2].Clone(), random);
            try
            {
                ReadAll(archive);
            }
            catch (TarException e)
            {
                refused++;
                Assert.DoesNotContain('\n', e.Message);
                Assert.InRange(e.Message.Length, 20, 1000);
            }
        }

        Assert.InRange(refused, Mutations / 10, Mutations * 99 / 100);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Random_records_and_lists_are_taken_or_refused(int seed)
    {
        var random = new Random(seed);
        byte[] alphabet = "0123456789 =\n:,-rwxuser:group:SCHILY.acl.access=size=uid=mtime=.#"u8.ToArray();
        for (int i = 0; i < Mutations; i++)
        {
            byte[] text = [.. Enumerable.Range(0, random.Next(60)).Select(_ => alphabet[random.Next(alphabet.Length)])];
            _ = new PaxValues().Apply(text);
            _ = PaxRecords.TryTime(text, out _);
            if (PosixAcl.Parse(text, out byte[] list) is null && list.Length > 0)
            {
                Assert.NotNull(PosixAcl.Format(list));
            }

            random.NextBytes(text);
            _ = PosixAcl.Format(text);
        }
    }

    /// <summary>
    /// Changes a few bits, bytes or blocks. It mostly corrects checksums afterwards; otherwise only the checksum would be tested.
    /// </summary>
    private static byte[] Mutate(byte[] archive, Random random)
    {
        for (int count = random.Next(1, 6); count > 0; count--)
        {
            int at = random.Next(archive.Length);
            int block = at / TarHeader.BlockSize * TarHeader.BlockSize;
            switch (random.Next(7))
            {
                case 0: archive[at] ^= (byte)(1 << random.Next(8)); break;
                case 1: archive[at] = (byte)random.Next(256); break;
                case 2: archive[at] = Telling[random.Next(Telling.Length)]; break;
                case 3: archive[block + TarHeader.TypeOffset] = Types[random.Next(Types.Length)]; break;
                case 4: random.NextBytes(archive.AsSpan(block + TarHeader.SizeOffset, random.Next(13))); break;
                case 5: archive.AsSpan(random.Next(archive.Length / 512) * 512, 512).CopyTo(archive.AsSpan(block)); break;
                default: archive[block + TarHeader.SizeOffset + random.Next(8)] = (byte)(random.Next(2) == 0 ? 0x80 : '7'); break;
            }

            if (random.Next(8) > 0 && archive.AsSpan(block + TarHeader.MagicOffset).StartsWith("ustar"u8))
            {
                TarHeader.Seal(archive.AsSpan(block, TarHeader.BlockSize));
            }
        }

        return random.Next(10) == 0 ? archive[..random.Next(archive.Length)] : archive;
    }

    private void ReadAll(byte[] archive)
    {
        var reader = new TarReader(new MemoryStream(archive));
        for (int entries = 0; reader.Next(); entries++)
        {
            Assert.InRange(entries, 0, archive.Length / TarHeader.BlockSize);
            Assert.False(reader.Path.IsEmpty);
            Assert.Equal(reader.IsHardLink, reader.Kind == EntryKind.None);
            Assert.True(reader.Size >= 0 && XattrSet.IsCanonical(reader.Xattrs) && reader.Metadata.Mode <= FileMetadata.ModeMask);
            Assert.True(reader.Kind != EntryKind.Symlink || reader.LinkTarget.Length is > 0 and <= 4095);
            CheckPath(reader.Path);
            // A file may claim to be all hole and as large as a disk: then its beginning will do.
            for (int reads = 0; entries % 2 == 0 && reads < 10_000 && reader.ReadContent(buffer) > 0; reads++)
            {
            }
        }

        Assert.False(reader.Next());
    }

    private static void CheckPath(ReadOnlySpan<byte> path)
    {
        bool isSafe = TarPath.Fault(path) is null;
        while (isSafe && TarPath.Next(ref path, out ReadOnlySpan<byte> name))
        {
            Assert.True(EntryName.IsValid(name));
        }
    }

    /// <summary>Entries that the writer never writes: GNU names, global headers, access control lists as text, hard links.</summary>
    private static byte[] Vendors()
    {
        var bytes = new List<byte>();
        Add('g', "comment", "17 comment=hello\n"u8);
        Add('L', "././@LongLink", "a/long/name\0"u8);
        Add('0', "a/long/n", "content"u8);
        Add('K', "././@LongLink", "a/long/name\0"u8);
        Add('1', "hard", default);
        Add('x', "pax", "74 SCHILY.acl.access=user::rw-,user:7:rw-,group::r--,mask::r--,other::---\n25 LIBARCHIVE.xattr.a=QQ\n14 mtime=-1.5\n"u8);
        Add('5', "dir/", default);
        Add('V', "label", default);
        Add('D', "dumped", "Yname\0\0"u8);
        Add('\0', "old/", default);
        Add('x', "pax", "22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n25 GNU.sparse.realsize=9\n"u8);
        Add('0', "holes", [.. "1\n2\n3\n"u8, .. new byte[506], .. "abc"u8]);
        Add('x', "pax", "21 GNU.sparse.size=9\n26 GNU.sparse.map=0,1,7,2\n"u8);
        Add('0', "holes too", "abc"u8);
        return [.. bytes, .. new byte[1024]];

        void Add(char type, string name, ReadOnlySpan<byte> content)
        {
            byte[] block = new byte[TarHeader.BlockSize];
            System.Text.Encoding.ASCII.GetBytes(name).CopyTo(block, 0);
            TarHeader.PutOctal(block.AsSpan(TarHeader.SizeOffset, TarHeader.LongNumberSize), content.Length);
            block[TarHeader.TypeOffset] = (byte)type;
            "ustar  \0"u8.CopyTo(block.AsSpan(TarHeader.MagicOffset));
            TarHeader.Seal(block);
            bytes.AddRange([.. block, .. content, .. new byte[-content.Length & 511]]);
        }
    }
}
