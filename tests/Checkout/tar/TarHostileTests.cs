using System.Text;
using HackTree.Checkout;
using HackTree.Model;

namespace HackTree.Tests.Checkout;

/// <summary>Archives made to do harm, block by block. Each gives one sentence with a name and a place, and nothing else.</summary>
public sealed class TarHostileTests
{
    [Fact]
    public void An_archive_cut_anywhere_is_refused_or_ends_at_an_entry()
    {
        byte[] whole = TarRoundTripTests.Sample;
        int count = TarItem.Read(whole).Count;
        int accepted = 0;
        int end = (whole.AsSpan().TrimEnd((byte)0).Length + 511) / 512 * 512;
        for (int length = 1; length <= end; length++)
        {
            try
            {
                Assert.Equal(accepted + 1, TarItem.Read(whole[..length]).Count);
                Assert.Equal(0, length % 512);
                accepted++;
            }
            catch (TarException)
            {
            }
        }

        Assert.Equal(count, accepted);
    }

    [Fact]
    public void The_messages_tell_name_and_place()
    {
        byte[] archive = [.. Block('0', "first", size: 600), .. new byte[1024], .. Block('0', "a\nb", size: 9)];
        Assert.Equal(@"the archive ends in the middle of a\nb (which is at byte 1536)", Refused(archive));
        Assert.Equal("the archive ends in the middle of a header (at byte 1536)", Refused(archive[..2000]));
        archive[1536]++;
        Assert.Contains("there is no header of an entry where one should be", Refused(archive), StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_no_archive_is_refused()
    {
        Assert.Contains("it is empty", Refused([]), StringComparison.Ordinal);
        Assert.Contains("this is not a tar archive", Refused("hello\n"u8.ToArray()), StringComparison.Ordinal);
        Assert.Contains("this is not a tar archive", Refused(Enumerable.Repeat((byte)'x', 5000).ToArray()), StringComparison.Ordinal);
    }

    [Fact]
    public void An_archive_of_nothing_is_one() => Assert.Empty(TarItem.Read(new byte[1024]));

    [Fact]
    public void A_block_of_zeros_in_the_middle_is_refused() =>
        Assert.Contains("a block of zeros in the middle", Refused([.. new byte[512], .. Block('0', "a")]), StringComparison.Ordinal);

    [Fact]
    public void Another_archive_behind_the_end_is_read_on()
    {
        byte[] archive = [.. Block('0', "a"), .. new byte[1024], .. new byte[8192], .. Block('0', "b"), .. new byte[100000]];
        var input = new MemoryStream(archive);
        Assert.Equal(["a", "b"], TarItem.Read(input).Select(item => Encoding.Latin1.GetString(item.Path)));
        Assert.Equal(input.Length, input.Position);
    }

    [Fact]
    public void What_follows_the_end_and_is_no_archive_is_told_and_read_to_its_end()
    {
        var input = new MemoryStream([.. Block('0', "a"), .. new byte[1024], .. "a signature"u8, .. new byte[100000]]);
        var reader = new TarReader(input);
        Assert.True(reader.Next());
        Assert.False(reader.Next());
        Assert.Equal(1536, reader.RestOffset);
        Assert.Equal(input.Length, input.Position);
    }

    [Fact]
    public void A_prefix_counts_whatever_version_the_magic_has()
    {
        byte[] archive = Block('0', "name", edit: block =>
        {
            "ustar\0 \0"u8.CopyTo(block.AsSpan(257));
            "above"u8.CopyTo(block.AsSpan(345));
        });
        Assert.Equal("above/name"u8.ToArray(), Only(archive).Path);
    }

    [Fact]
    public void Of_several_pax_headers_the_last_one_counts()
    {
        TarItem item = Only([.. Pax('x', ("path", "first"), ("mtime", "1000")), .. Pax('x', ("path", "second")), .. Block('0', "header")]);
        Assert.Equal("second"u8.ToArray(), item.Path);
        Assert.Equal(0, item.Entry.Metadata.ModifyTime);
    }

    [Theory]
    [InlineData('5')]
    [InlineData('0')]
    [InlineData('\0')]
    public void A_directory_may_have_a_size_with_content_or_without(char type)
    {
        byte[] directory = Block(type, "dir/", size: 600);
        Assert.Equal(2, TarItem.Read([.. directory, .. Block('0', "b"), .. new byte[1024]]).Count);
        byte[] names = new byte[1024];
        names.AsSpan(0, 600).Fill((byte)'n');
        Assert.Equal(2, TarItem.Read([.. directory, .. names, .. Block('0', "b"), .. new byte[1024]]).Count);
        Assert.Single(TarItem.Read(directory));
    }

    [Theory]
    [InlineData("1", "0,1,0,1", "overlap")]
    [InlineData("4", "3,2", "beyond the end")]
    [InlineData("9", "0,3", "more is stored than the map says")]
    [InlineData("9", "0,1", "less is stored than the map says")]
    [InlineData("9", "0", "an offset without a length")]
    [InlineData("9", "0,-2", "a negative number")]
    [InlineData("x", "0,2", "no size")]
    [InlineData("17592186044417", "0,2", "larger than any file")]
    public void A_map_of_holes_that_cannot_be_is_refused(string size, string map, string why)
    {
        byte[] archive = [.. Pax('x', ("GNU.sparse.size", size), ("GNU.sparse.map", map)), .. Block('0', "a", size: 2), .. new byte[512], .. new byte[1024]];
        Assert.True(Refused(archive).Contains("map of its holes", StringComparison.Ordinal), why);
    }

    [Theory]
    [InlineData("1\n0\n2\n", null)]
    [InlineData("1\n0\n3\n", "map of its holes")]
    [InlineData("99999999\n", "map of its holes")]
    [InlineData("2\n0\n1\n", "map of its holes")]
    [InlineData("1\n\n2\n", "map of its holes")]
    [InlineData("1111111111111111111\n", "map of its holes")]
    public void A_map_in_front_of_the_content_is_read_or_refused(string map, string? error)
    {
        byte[] lines = new byte[512];
        Encoding.ASCII.GetBytes(map).CopyTo(lines, 0);
        byte[] archive =
        [
            .. Pax('x', ("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0"), ("GNU.sparse.name", "real"), ("GNU.sparse.realsize", "5")),
            .. Block('0', "GNUSparseFile.7/real", size: 514), .. lines, .. "ab"u8, .. new byte[510], .. new byte[1024],
        ];
        if (error is not null)
        {
            Assert.Contains(error, Refused(archive), StringComparison.Ordinal);
            return;
        }

        TarItem item = Only(archive);
        Assert.Equal("real"u8.ToArray(), item.Path);
        Assert.Equal("ab\0\0\0"u8.ToArray(), item.Content);
    }

    [Theory]
    [InlineData(100, "0000a44\0", "its mode is")]
    [InlineData(108, "-000001\0", "its owner is")]
    [InlineData(116, "9000001\0", "its group is")]
    [InlineData(124, "0x123\0", "its size is")]
    [InlineData(124, "1 2 3 x", null)]
    [InlineData(136, "!", "its time is")]
    [InlineData(108, "\0000017\0", null)]
    [InlineData(108, "        ", null)]
    [InlineData(108, "  17 ", null)]
    [InlineData(116, "77777777", null)]
    public void Numbers_are_octal_or_refused(int offset, string text, string? error)
    {
        byte[] archive = [.. Block('0', "a", edit: block =>
        {
            block.AsSpan(offset, offset is 124 or 136 ? 12 : 8).Clear();
            Encoding.Latin1.GetBytes(text).CopyTo(block, offset);
        }), .. new byte[1024]];
        if (error is null)
        {
            Assert.Single(TarItem.Read(archive));
        }
        else
        {
            Assert.StartsWith("a: " + error, Refused(archive), StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(124, "FFFFFFFFFFFFFFFFFFFFFFFF", "its size is")]
    [InlineData(124, "80000000FFFFFFFFFFFFFFFF", "its size is")]
    [InlineData(124, "800000007FFFFFFFFFFFFFFF", "its size of 9223372036854775807 bytes is impossible")]
    [InlineData(124, "800000000FFFFFFFFFFFFFFF", "the archive ends in the middle of a")]
    [InlineData(136, "BFFFFFFFFFFFFFFFFFFFFFFF", "its time is")]
    [InlineData(108, "8000000100000000", "its owner is")]
    [InlineData(108, "FFFFFFFFFFFFFFFF", "its owner is")]
    [InlineData(136, "FFFFFFFFFFFFFFFFFFFFFFFE", null)]
    [InlineData(108, "80000000FFFFFFFE", null)]
    public void Binary_numbers_that_cannot_be_are_refused(int offset, string hex, string? error)
    {
        byte[] archive = [.. Block('0', "a", edit: block => Convert.FromHexString(hex).CopyTo(block, offset)), .. new byte[1024]];
        if (error is null)
        {
            FileMetadata metadata = Assert.Single(TarItem.Read(archive)).Entry.Metadata;
            Assert.Equal(offset == 136 ? -2 : 0, metadata.ModifyTime);
            Assert.Equal(offset == 108 ? 4294967294 : 0, metadata.Uid);
        }
        else
        {
            Assert.Contains(error, Refused(archive), StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData('x')]
    [InlineData('g')]
    [InlineData('L')]
    [InlineData('K')]
    public void A_header_of_10_GB_is_refused_unread(char type)
    {
        byte[] archive = Block(type, "h", edit: block => Convert.FromHexString("8000000000000002540BE400").CopyTo(block, 124));
        Assert.Contains("a name or pax header of 10000000000 bytes", Refused(archive), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData('M', "multi-volume")]
    [InlineData('N', "unknown type N")]
    [InlineData('\u00FF', @"unknown type \377")]
    public void Entries_of_other_kinds_are_refused(char type, string error) =>
        Assert.Contains(error, Refused([.. Block(type, "a"), .. new byte[1024]]), StringComparison.Ordinal);

    [Theory]
    [InlineData("4 a=\n", "wrong")]
    [InlineData("7 a=b\n", "wrong")]
    [InlineData("6 a=bc", "wrong")]
    [InlineData("99 a=b\n", "wrong")]
    [InlineData("0 a=b\n", "wrong")]
    [InlineData("2 ", "wrong")]
    [InlineData("-6 a=b\n", "does not begin with its length")]
    [InlineData(" 6 a=b\n", "does not begin with its length")]
    [InlineData("99999999999999999999 a=b\n", "does not begin with its length")]
    [InlineData("\0", "does not begin with its length")]
    [InlineData("6 =ab\n", "no keyword")]
    [InlineData("6 abc\n", "no keyword")]
    public void Pax_records_that_are_none_are_refused(string records, string error) =>
        Assert.Contains(error, Refused([.. Extension('x', Encoding.Latin1.GetBytes(records)), .. Block('0', "a")]), StringComparison.Ordinal);

    [Theory]
    [InlineData("size", "-1")]
    [InlineData("size", "9223372036854775807")]
    [InlineData("size", "9223372036854775808")]
    [InlineData("uid", "4294967296")]
    [InlineData("gid", "1x")]
    [InlineData("mtime", "yesterday")]
    [InlineData("mtime", "-")]
    [InlineData("mtime", "1.2.3")]
    [InlineData("mtime", "-9223372036854775808.5")]
    [InlineData("SCHILY.devmajor", "99999999999")]
    [InlineData("SCHILY.xattr.", "x")]
    [InlineData("SCHILY.xattr.a\0b", "x")]
    [InlineData("LIBARCHIVE.xattr.user.a", "*")]
    [InlineData("SCHILY.acl.access", "user::rwx,user:lisa:rwx")]
    [InlineData("SCHILY.acl.access", "user::rwq")]
    [InlineData("SCHILY.acl.default", "everyone::rwx")]
    [InlineData("GNU.sparse.major", "2")]
    public void Pax_values_that_cannot_be_are_refused(string key, string value) =>
        Assert.NotEmpty(Refused([.. Pax('x', (key, value)), .. Block('0', "a"), .. new byte[1024]]));

    [Theory]
    [InlineData("1.5", 1)]
    [InlineData("-1.5", -2)]
    [InlineData("-0.000000001", -1)]
    [InlineData("-0.0", 0)]
    [InlineData("-7", -7)]
    [InlineData("9223372036854775807.9", long.MaxValue)]
    [InlineData("-9223372036854775808", long.MinValue)]
    public void Times_are_whole_seconds_at_or_before(string text, long seconds) =>
        Assert.Equal(seconds, Only([.. Pax('x', ("mtime", text)), .. Block('0', "a")]).Entry.Metadata.ModifyTime);

    [Fact]
    public void A_global_header_is_for_all_until_an_entry_says_otherwise()
    {
        List<TarItem> items = TarItem.Read([
            .. Pax('g', ("uid", "7"), ("mtime", "5"), ("SCHILY.xattr.user.a", "x")), .. Block('0', "a"),
            .. Pax('x', ("uid", "8"), ("mtime", "")), .. Block('0', "b"),
            .. Pax('g', ("gid", "9")), .. Block('0', "c"), .. new byte[1024]]);
        Assert.Equal([(7u, 0u, 5L), (8u, 0u, 0L), (7u, 9u, 5L)], items.Select(item => (item.Entry.Metadata.Uid, item.Entry.Metadata.Gid, item.Entry.Metadata.ModifyTime)));
        Assert.All(items, item => Assert.Equal(XattrSet.Encode([("user.a"u8.ToArray(), "x"u8.ToArray())]), item.Entry.Xattrs));
    }

    [Fact]
    public void Global_headers_cannot_heap_up_attributes()
    {
        IEnumerable<byte> archive = [];
        for (int i = 0; i < 40; i++)
        {
            int part = i;
            archive = archive.Concat(Pax('g', [.. Enumerable.Range(0, 1000).Select(j => ($"SCHILY.xattr.user.{part}.{j}", ""))]));
        }

        Assert.Contains("more extended attributes", Refused([.. archive]), StringComparison.Ordinal);
    }

    [Fact]
    public void The_attributes_of_libarchive_and_SELinux_are_read()
    {
        TarItem item = Only([.. Pax('x', ("LIBARCHIVE.xattr.user.a%3Db", "AP8K"), ("LIBARCHIVE.xattr.user.c", "AA"), ("RHT.security.selinux", "u:r:t:s0")), .. Block('0', "a")]);
        Assert.Equal(
            XattrSet.Encode([("user.a=b"u8.ToArray(), [0, 255, 10]), ("user.c"u8.ToArray(), [0]), ("security.selinux"u8.ToArray(), "u:r:t:s0\0"u8.ToArray())]),
            item.Entry.Xattrs);
    }

    [Fact]
    public void The_lists_of_star_and_bsdtar_are_read_and_those_that_say_the_mode_are_not_kept()
    {
        TarItem item = Only([.. Pax('x', ("SCHILY.acl.access", "other::---,user:lisa:r-x:502,group::r-x\t#effective:r--,mask::r-x,user::rwx")), .. Block('0', "a")]);
        Assert.Equal("02000000" + "01000700ffffffff" + "02000500f6010000" + "04000500ffffffff" + "10000500ffffffff" + "20000000ffffffff", Convert.ToHexStringLower(item.Entry.Xattrs.AsSpan(^44..)));
        Assert.Empty(Only([.. Pax('x', ("SCHILY.acl.access", "user::rwx\ngroup::r-x\nother::r-x\n")), .. Block('0', "a")]).Entry.Xattrs);
    }

    [Fact]
    public void Pax_names_win_over_GNU_names_and_those_over_the_header()
    {
        Assert.Equal("long"u8.ToArray(), Only([.. Extension('L', "long\0junk"u8), .. Block('0', "short")]).Path);
        Assert.Equal("pax"u8.ToArray(), Only([.. Pax('x', ("path", "pax")), .. Extension('L', "long\0"u8), .. Block('0', "short")]).Path);
        Assert.Equal("target"u8.ToArray(), Only([.. Extension('K', "target\0"u8), .. Block('2', "link")]).Entry.Target);
        Assert.Contains("between the name or attributes of an entry", Refused([.. Extension('L', "long\0"u8), .. new byte[1024]]), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("a\0b")]
    [InlineData(4096)]
    public void Targets_that_no_link_can_have_are_refused(object target)
    {
        string text = target as string ?? new string('t', (int)target);
        Assert.Contains("no symbolic link can have this target", Refused([.. Pax('x', ("linkpath", text)), .. Block('2', "a")]), StringComparison.Ordinal);
    }

    [Fact]
    public void Only_files_have_content_whatever_the_size_says()
    {
        foreach (char type in "123456")
        {
            Assert.Equal(2, TarItem.Read([.. Block(type, "a", size: 600, link: "t"), .. Block('0', "b")]).Count);
        }

        List<TarItem> items = TarItem.Read([.. Block('\0', "dir/", size: 600), .. new byte[1024], .. Block('7', "file", size: 1), .. new byte[512]]);
        Assert.Equal([(EntryKind.Directory, 0L), (EntryKind.Regular, 1L)], items.Select(item => (item.Entry.Kind, item.Entry.Size)));
    }

    [Fact]
    public void A_checksum_of_signed_bytes_will_do()
    {
        byte[] block = Block('0', "\u00E4\u00F6");
        TarHeader.PutOctal(block.AsSpan(148, 8), Enumerable.Range(0, 512).Sum(i => i is >= 148 and < 156 ? ' ' : (long)(sbyte)block[i]));
        Assert.Equal([0xE4, 0xF6], Only(block).Path);
    }

    private static TarItem Only(byte[] archive) => Assert.Single(TarItem.Read(archive));

    private static string Refused(byte[] archive) => Assert.Throws<TarException>(() => TarItem.Read(archive)).Message;

    private static byte[] Pax(char type, params (string Key, string Value)[] records)
    {
        var bytes = new System.Buffers.ArrayBufferWriter<byte>();
        foreach ((string key, string value) in records)
        {
            PaxRecords.Append(bytes, Encoding.Latin1.GetBytes(key), Encoding.Latin1.GetBytes(value));
        }

        return Extension(type, bytes.WrittenSpan);
    }

    private static byte[] Extension(char type, ReadOnlySpan<byte> content) =>
        [.. Block(type, "extension", size: content.Length), .. content, .. new byte[-content.Length & 511]];

    private static byte[] Block(char type, string name, long size = 0, string link = "", Action<byte[]>? edit = null)
    {
        byte[] block = new byte[512];
        Encoding.Latin1.GetBytes(name).CopyTo(block, 0);
        Encoding.Latin1.GetBytes(link).CopyTo(block, 157);
        foreach (int offset in (int[])[100, 108, 116])
        {
            TarHeader.PutOctal(block.AsSpan(offset, 8), 0);
        }

        TarHeader.PutOctal(block.AsSpan(124, 12), size);
        TarHeader.PutOctal(block.AsSpan(136, 12), 0);
        block[156] = (byte)type;
        edit?.Invoke(block);
        TarHeader.Seal(block);
        return block;
    }
}
