using HackTree.Model;

namespace HackTree.Tests.Model;

/// <summary>
/// The rule for decoders and any bytes: a decoder either refuses them and says why, or encoding the decoded value gives exactly these bytes.
/// A decoder never throws.
/// </summary>
internal static class Canonical
{
    /// <summary>Returns whether the decoder accepted the bytes.</summary>
    public static bool Tree(byte[] bytes)
    {
        if (!HackTree.Model.Tree.TryDecode(bytes, out Tree? tree, out string? error))
        {
            Assert.False(string.IsNullOrWhiteSpace(error));
            Assert.Null(tree);
            return false;
        }

        Assert.Null(error);
        var builder = new TreeBuilder();
        foreach (TreeEntry entry in tree)
        {
            builder.Add(entry);
        }

        Assert.Equal(tree.Count, builder.Count);
        AssertSame(bytes, builder.Build().Bytes);
        return true;
    }

    public static bool Commit(byte[] bytes)
    {
        if (!HackTree.Model.Commit.TryDecode(bytes, out Commit? commit, out string? error))
        {
            Assert.False(string.IsNullOrWhiteSpace(error));
            Assert.Null(commit);
            return false;
        }

        Assert.Null(error);
        AssertSame(bytes, commit.Encode());
        return true;
    }

    public static bool Xattrs(byte[] bytes)
    {
        if (!XattrSet.IsCanonical(bytes))
        {
            return false;
        }

        AssertSame(bytes, XattrSet.Encode(AttributesOf(bytes)));
        return true;
    }

    public static List<(byte[] Name, byte[] Value)> AttributesOf(ReadOnlySpan<byte> canonical)
    {
        List<(byte[] Name, byte[] Value)> attributes = [];
        while (XattrSet.Next(ref canonical, out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value))
        {
            attributes.Add((name.ToArray(), value.ToArray()));
        }

        return attributes;
    }

    /// <summary>Returns every truncation of the bytes, and every change of one bit.</summary>
    public static void AssertDamageIsSeen(byte[] bytes, Func<byte[], bool> check)
    {
        Assert.True(check(bytes));
        for (int length = 0; length < bytes.Length; length++)
        {
            check(bytes[..length]);
        }

        byte[] damaged = [.. bytes];
        for (int bit = 0; bit < 8 * bytes.Length; bit++)
        {
            damaged[bit / 8] ^= (byte)(1 << (bit % 8));
            check(damaged);
            damaged[bit / 8] = bytes[bit / 8];
        }
    }

    private static void AssertSame(ReadOnlySpan<byte> expected, ReadOnlySpan<byte> actual) =>
        Assert.True(expected.SequenceEqual(actual), $"not canonical, but taken: {Convert.ToHexString(expected)}");
}
