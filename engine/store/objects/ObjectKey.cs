using System.IO.Hashing;

namespace HackTree.Store;

/// <summary>
/// 64 bits that stand for an object's name where a set of a million names must be small (gc, fsck, du). Two names with
/// one key make gc keep an object too many, never remove one too many: it looks for keys of what is live.
/// </summary>
internal static class ObjectKey
{
    internal static ulong Of(in ObjectName name)
    {
        Span<byte> text = stackalloc byte[ObjectName.MaxLength];
        int length = name.Format(text);
        return Of(name.Fanout, text[ObjectName.FanoutLength..length]);
    }

    /// <summary>The key of a name as it stands in the fan-out directory, without parsing it.</summary>
    internal static ulong Of(byte fan, ReadOnlySpan<byte> name) => XxHash3.HashToUInt64(name, fan);
}
