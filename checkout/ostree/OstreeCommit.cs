using System.Buffers.Binary;
using System.Text;
using HackTree.Model;

namespace HackTree.Checkout;

/// <summary>A commit of OSTree: <c>(a{sv}aya(say)sstayay)</c>.</summary>
/// <param name="Checksum">Its name: the SHA-256 of its bytes.</param>
/// <param name="Parent">The commit before; none for none.</param>
/// <param name="Subject">The first text of its message.</param>
/// <param name="Body">The rest of its message.</param>
/// <param name="Time">Seconds since 1970.</param>
/// <param name="Tree">The checksum of the root directory's entries.</param>
/// <param name="Metadata">The checksum of the root directory's metadata.</param>
/// <param name="Texts">Its metadata of type string, in order.</param>
/// <param name="Others">The keys of its other metadata.</param>
internal sealed record OstreeCommit(
    Digest Checksum,
    Digest Parent,
    string Subject,
    string Body,
    long Time,
    Digest Tree,
    Digest Metadata,
    IReadOnlyList<(string Key, string Value)> Texts,
    IReadOnlyList<string> Others)
{
    private static readonly UTF8Encoding Utf8 = new(false, throwOnInvalidBytes: true);

    /// <summary>Reads a commit's bytes. Throws <see cref="FormatException"/> for others.</summary>
    internal static OstreeCommit Parse(Digest checksum, ReadOnlySpan<byte> bytes)
    {
        Range[] at = Variant.Members(
            bytes, Variant.Dictionary, Variant.Bytes, Variant.Bytes, Variant.Bytes, Variant.Bytes, Variant.LongNumber, Variant.Bytes, Variant.Bytes);
        ulong time = BinaryPrimitives.ReadUInt64BigEndian(bytes[at[5]]);
        if (time > long.MaxValue)
        {
            throw new FormatException("a time after all times");
        }

        var texts = new List<(string Key, string Value)>();
        var others = new List<string>();
        ReadOnlySpan<byte> dictionary = bytes[at[0]];
        foreach (Range entry in Variant.Elements(dictionary, Variant.Dictionary.Alignment))
        {
            ReadOnlySpan<byte> pair = dictionary[entry];
            Range[] parts = Variant.Members(pair, Variant.Bytes, Variant.Dictionary);
            string key = TextOf(pair[parts[0]]);
            ReadOnlySpan<byte> value = Variant.Value(pair[parts[1]], out ReadOnlySpan<byte> type);
            if (type.SequenceEqual("s"u8))
            {
                texts.Add((key, TextOf(value)));
            }
            else
            {
                others.Add(key);
            }
        }

        return new OstreeCommit(
            checksum,
            bytes[at[1]].IsEmpty ? default : Checksum32(bytes[at[1]]),
            TextOf(bytes[at[3]]),
            TextOf(bytes[at[4]]),
            (long)time,
            Checksum32(bytes[at[6]]),
            Checksum32(bytes[at[7]]),
            texts,
            others);
    }

    /// <summary>A checksum of 32 bytes.</summary>
    internal static Digest Checksum32(ReadOnlySpan<byte> bytes) =>
        bytes.Length == Digest.Size ? new Digest(bytes) : throw new FormatException("a checksum of another length");

    private static string TextOf(ReadOnlySpan<byte> text)
    {
        try
        {
            return Utf8.GetString(Variant.Text(text));
        }
        catch (DecoderFallbackException e)
        {
            throw new FormatException(e.Message, e);
        }
    }
}
