using System.Text;
using CsCheck;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Tests.Store;

public sealed class ObjectNameTests
{
    private const string Hex = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    private static readonly long[] EdgeTimes = [long.MinValue, long.MaxValue, 0, -1];

    private static readonly Gen<ObjectName> Names =
        from digest in Gen.Byte.Array[32]
        from mode in Gen.UShort[0, FileMetadata.ModeMask]
        from uid in Gen.UInt
        from gid in Gen.UInt
        from time in Gen.Frequency((1, Gen.Long), (2, Gen.Long[-5_000_000_000, 5_000_000_000]), (1, Gen.Int[0, 3].Select(i => EdgeTimes[i])))
        from tag in Gen.Frequency((1, Gen.Const(0UL)), (2, Gen.ULong))
        select new ObjectName(new Digest(digest), new FileMetadata(mode, uid, gid, time), tag);

    [Fact]
    public void What_was_formatted_is_parsed_again() => Names.Sample(name =>
    {
        byte[] text = Format(name);
        Assert.True(text.Length <= ObjectName.MaxLength);
        Assert.True(text[..3].AsSpan().SequenceEqual(Encoding.ASCII.GetBytes($"{name.Fanout:x2}/")));
        Assert.True(ObjectName.TryParse(name.Fanout, text.AsSpan(ObjectName.FanoutLength), out ObjectName again));
        Assert.Equal(name, again);
        Assert.Equal(ObjectKey.Of(name), ObjectKey.Of(name.Fanout, text.AsSpan(ObjectName.FanoutLength)));
    });

    [Fact]
    public void Only_the_text_that_is_formatted_is_parsed() => Gen.Select(Names, Gen.Int[0, 200], Gen.Char["0123456789abcdefx.-+ \0Z"], Gen.Int[0, 2]).Sample((name, at, c, kind) =>
    {
        string text = Encoding.ASCII.GetString(Format(name))[ObjectName.FanoutLength..];
        at = Math.Min(at, text.Length - 1);
        string changed = kind switch
        {
            0 => text[..at] + c + text[(at + 1)..],
            1 => text[..at] + c + text[at..],
            _ => text[..at] + text[(at + 1)..],
        };
        if (ObjectName.TryParse(name.Fanout, Encoding.ASCII.GetBytes(changed), out ObjectName parsed))
        {
            Assert.Equal(changed, parsed.ToString()[ObjectName.FanoutLength..]);
        }
    });

    [Fact]
    public void The_text_is_the_formats()
    {
        Assert.True(Digest.TryParse(Hex, out Digest digest));
        byte[] xattrs = XattrSet.Encode([("user.a"u8.ToArray(), "b"u8.ToArray())]);
        var metadata = new FileMetadata(0x9ED, 0, uint.MaxValue, -1);
        Assert.Equal($"01/{Hex[2..]}.4755.0.4294967295.-1", ObjectName.Of(digest, metadata, []).ToString());
        Assert.Equal(
            $"01/{Hex[2..]}.4755.0.4294967295.-1.x{XattrSet.DigestOf(xattrs).ToString()[..16]}",
            ObjectName.Of(digest, metadata, xattrs).ToString());
    }

    [Theory]
    [InlineData(".0644.0.0.0", true)]
    [InlineData(".0644.4294967295.4294967295.9223372036854775807", true)]
    [InlineData(".0644.0.0.-9223372036854775808.xffffffffffffffff", true)]
    [InlineData(".0644.0.0.0.x0000000000000001", true)]
    [InlineData("", false)]
    [InlineData(".0644", false)]
    [InlineData(".0644.0.0", false)]
    [InlineData(".0644.0.0.", false)]
    [InlineData(".0644.0.0.0.", false)]
    [InlineData(".0644.0.0.0 ", false)]
    [InlineData(".0644.0.0.00", false)]
    [InlineData(".0644.0.0.+1", false)]
    [InlineData(".0644.0.0.-0", false)]
    [InlineData(".0644.-1.0.0", false)]
    [InlineData(".0644.00.0.0", false)]
    [InlineData(".0644.4294967296.0.0", false)]
    [InlineData(".0644.0.4294967296.0", false)]
    [InlineData(".0644.0.0.9223372036854775808", false)]
    [InlineData(".644.0.0.0", false)]
    [InlineData(".8644.0.0.0", false)]
    [InlineData(".10644.0.0.0", false)]
    [InlineData("-0644.0.0.0", false)]
    [InlineData(".0644.0.0.0.x0000000000000000", false)]
    [InlineData(".0644.0.0.0.x1", false)]
    [InlineData(".0644.0.0.0.x00000000000000FF", false)]
    [InlineData(".0644.0.0.0.x00000000000000011", false)]
    [InlineData(".0644.0.0.0.y0000000000000001", false)]
    public void Only_one_text_is_a_name(string rest, bool isName) =>
        Assert.Equal(isName, ObjectName.TryParse(1, Encoding.ASCII.GetBytes(Hex[2..] + rest), out _));

    [Fact]
    public void Capitals_and_other_bytes_are_no_digest()
    {
        Assert.False(ObjectName.TryParse(1, Encoding.ASCII.GetBytes(Hex[2..].ToUpperInvariant() + ".0644.0.0.0"), out _));
        Assert.False(ObjectName.TryParse(1, Encoding.Latin1.GetBytes(Hex[3..] + "é.0644.0.0.0"), out _));
        Assert.False(ObjectName.TryParse(1, new byte[255], out _));
        Assert.False(ObjectName.TryParse(1, [], out _));
    }

    private static byte[] Format(ObjectName name)
    {
        byte[] buffer = new byte[ObjectName.MaxLength];
        return buffer[..name.Format(buffer)];
    }
}
