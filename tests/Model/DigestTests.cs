using System.Security.Cryptography;
using System.Text;
using CsCheck;
using HackTree.Model;

namespace HackTree.Tests.Model;

public sealed class DigestTests
{
    private const string Abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    [Fact]
    public void The_digest_of_bytes_is_their_SHA_256()
    {
        Assert.Equal(Abc, Digest.Of("abc"u8).ToString());
        Assert.Equal(Abc, Digest.Of("a"u8, "bc"u8).ToString());
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData([])), Digest.Of([]).ToString());
    }

    [Fact]
    public void Text_and_bytes_round_trip() => Generators.Digest.Sample(digest =>
    {
        byte[] bytes = new byte[Digest.Size], hex = new byte[Digest.HexLength];
        digest.CopyTo(bytes);
        digest.FormatHex(hex);
        Assert.Equal(digest, new Digest(bytes));
        Assert.Equal(Convert.ToHexStringLower(bytes), digest.ToString());
        Assert.Equal(digest.ToString(), Encoding.ASCII.GetString(hex));
        Assert.True(Digest.TryParse(digest.ToString(), out Digest fromText));
        Assert.True(Digest.TryParse(hex, out Digest fromBytes));
        Assert.Equal(digest, fromText);
        Assert.Equal(digest, fromBytes);
    });

    [Theory]
    [InlineData("")]
    [InlineData("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015a")]
    [InlineData("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad0")]
    [InlineData("BA7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")]
    [InlineData("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015aD")]
    [InlineData("ga7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")]
    [InlineData(" a7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")]
    [InlineData("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015a\n")]
    [InlineData("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015\u0661d")]
    public void Anything_but_64_lower_case_digits_is_refused(string text)
    {
        Assert.False(Digest.TryParse(text, out Digest digest));
        Assert.True(digest.IsNone);
        Assert.False(Digest.TryParse(Encoding.UTF8.GetBytes(text), out digest));
        Assert.True(digest.IsNone);
    }

    [Fact]
    public void Every_byte_that_is_no_digit_is_refused_at_every_place()
    {
        byte[] hex = Encoding.ASCII.GetBytes(Abc);
        for (int at = 0; at < hex.Length; at++)
        {
            for (int b = 0; b < 256; b++)
            {
                byte kept = hex[at];
                hex[at] = (byte)b;
                Assert.Equal("0123456789abcdef".Contains((char)b), Digest.TryParse(hex, out _));
                hex[at] = kept;
            }
        }
    }

    [Fact]
    public void Order_is_that_of_the_bytes() => Gen.Select(Generators.Digest, Generators.Digest, Gen.Int[0, 31]).Sample((x, y, shared) =>
    {
        byte[] first = Bytes(x), second = Bytes(y);
        first.AsSpan(0, shared).CopyTo(second);
        y = new Digest(second);
        int order = Math.Sign(first.AsSpan().SequenceCompareTo(second));
        Assert.Equal(order, Math.Sign(x.CompareTo(y)));
        Assert.Equal(order, Math.Sign(string.CompareOrdinal(x.ToString(), y.ToString())));
        Assert.Equal(order < 0, x < y);
        Assert.Equal(order > 0, x > y);
        Assert.Equal(order <= 0, x <= y);
        Assert.Equal(order >= 0, x >= y);
        Assert.Equal(order == 0, x == y);
        Assert.Equal(order != 0, x != y);
        Assert.Equal(order == 0, x.Equals((object)y));
    });

    [Fact]
    public void Digests_that_differ_in_one_bit_differ()
    {
        byte[] bytes = new byte[Digest.Size];
        for (int bit = 0; bit < 8 * bytes.Length; bit++)
        {
            bytes[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.NotEqual(default, new Digest(bytes));
            Assert.False(new Digest(bytes).IsNone);
            bytes[bit / 8] = 0;
        }
    }

    [Fact]
    public void The_default_is_none()
    {
        Assert.True(default(Digest).IsNone);
        Assert.Equal(new string('0', Digest.HexLength), default(Digest).ToString());
        Assert.Equal(default, new Digest(new byte[Digest.Size]));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(31)]
    [InlineData(33)]
    public void Other_lengths_than_32_bytes_are_refused(int length) =>
        Assert.Throws<ArgumentException>(() => new Digest(new byte[length]));

    [Fact]
    public void A_destination_that_is_too_short_is_refused_and_not_left_empty()
    {
        Assert.ThrowsAny<ArgumentException>(() => default(Digest).CopyTo(new byte[Digest.Size - 1]));
        Assert.ThrowsAny<ArgumentException>(() => default(Digest).FormatHex(new byte[Digest.HexLength - 1]));
    }

    private static byte[] Bytes(Digest digest)
    {
        byte[] bytes = new byte[Digest.Size];
        digest.CopyTo(bytes);
        return bytes;
    }
}
