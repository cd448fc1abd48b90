using CsCheck;
using HackTree.Model;

namespace HackTree.Tests.Model;

public sealed class XattrSetTests
{
    [Fact]
    public void Any_set_round_trips_in_the_order_of_its_names() => Generators.Attributes.Sample(attributes =>
    {
        byte[] bytes = XattrSet.Encode(attributes);
        Assert.True(XattrSet.IsCanonical(bytes));
        var sorted = attributes.ToList();
        sorted.Sort((x, y) => x.Name.AsSpan().SequenceCompareTo(y.Name));
        List<(byte[] Name, byte[] Value)> decoded = Canonical.AttributesOf(bytes);
        Assert.Equal(sorted.Select(attribute => attribute.Name), decoded.Select(attribute => attribute.Name));
        Assert.Equal(sorted.Select(attribute => attribute.Value), decoded.Select(attribute => attribute.Value));
    });

    [Fact]
    public void The_order_given_does_not_matter() => Generators.Attributes.Sample(attributes =>
        Assert.Equal(XattrSet.Encode(attributes), XattrSet.Encode(attributes.Reverse())));

    [Fact]
    public void Damage_is_refused_or_another_canonical_set() => Generators.Attributes.Select(XattrSet.Encode)
        .Sample(bytes => Canonical.AssertDamageIsSeen(bytes, Canonical.Xattrs), iter: 50);

    [Fact]
    public void A_set_that_is_cut_short_is_refused() => Generators.Attributes.Where(all => all.Length > 0).Sample(attributes =>
    {
        byte[] bytes = XattrSet.Encode(attributes);
        int lastLength = XattrSet.Encode(Canonical.AttributesOf(bytes)[^1..]).Length;
        for (int cut = 1; cut < lastLength; cut++)
        {
            Assert.False(XattrSet.IsCanonical(bytes.AsSpan(0, bytes.Length - cut)));
        }
    });

    [Fact]
    public void The_empty_set_is_no_bytes_and_has_no_digest()
    {
        Assert.Empty(XattrSet.Encode([]));
        Assert.True(XattrSet.IsCanonical([]));
        Assert.True(XattrSet.DigestOf([]).IsNone);
        ReadOnlySpan<byte> rest = [];
        Assert.False(XattrSet.Next(ref rest, out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value));
        Assert.True(name.IsEmpty && value.IsEmpty);
    }

    [Fact]
    public void The_longest_name_and_value_are_taken_and_longer_ones_refused()
    {
        Assert.True(XattrSet.IsCanonical(XattrSet.Encode([(Name(255), new byte[XattrSet.MaxValueLength])])));
        Assert.Throws<ArgumentException>(() => XattrSet.Encode([(Name(256), [])]));
        Assert.Throws<ArgumentException>(() => XattrSet.Encode([(Name(512), [])]));
        Assert.Throws<ArgumentException>(() => XattrSet.Encode([(Name(1), new byte[XattrSet.MaxValueLength + 1])]));
    }

    [Fact]
    public void A_set_that_is_longer_than_the_format_takes_is_refused()
    {
        byte[] value = new byte[XattrSet.MaxValueLength];
        var most = Enumerable.Range(0, 255).Select(i => (new[] { (byte)(i + 1) }, value)).ToList();
        Assert.True(XattrSet.IsCanonical(XattrSet.Encode(most)));
        Assert.Throws<ArgumentException>(() => XattrSet.Encode([.. most, (Name(2), value)]));
    }

    [Fact]
    public void No_name_an_empty_name_a_NUL_and_a_name_twice_are_refused()
    {
        Assert.Throws<ArgumentException>(() => XattrSet.Encode([([], [1])]));
        Assert.Throws<ArgumentException>(() => XattrSet.Encode([("user.\0"u8.ToArray(), [1])]));
        Assert.Throws<ArgumentException>(() => XattrSet.Encode([("user.a"u8.ToArray(), [1]), ("user.a"u8.ToArray(), [2])]));
    }

    [Fact]
    public void Sets_out_of_order_are_refused()
    {
        byte[] a = XattrSet.Encode([("user.a"u8.ToArray(), [1])]), b = XattrSet.Encode([("user.b"u8.ToArray(), [])]);
        Assert.True(XattrSet.IsCanonical([.. a, .. b]));
        Assert.False(XattrSet.IsCanonical([.. b, .. a]));
        Assert.False(XattrSet.IsCanonical([.. a, .. a]));
    }

    [Theory]
    [InlineData("01 ffffffff 61")]
    [InlineData("01 ffffff7f 61")]
    [InlineData("01 00000080 61")]
    [InlineData("01 fbffffff 61")]
    [InlineData("00 00000000")]
    [InlineData("01 01000100 61")]
    public void Lengths_that_do_not_hold_are_refused(string hex) =>
        Assert.False(XattrSet.IsCanonical(Convert.FromHexString(hex.Replace(" ", ""))));

    private static byte[] Name(int length) => [.. Enumerable.Repeat((byte)'n', length)];
}
