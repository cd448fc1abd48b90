using System.IO.Hashing;

namespace HackTree.Store;

/// <summary>
/// A 64-bit hash of an object's name, for sets of a million names that must be small (gc, fsck, du). If two names have the same key, gc keeps
/// an object too many. It never removes one too many, because it looks for the keys of live objects.
/// </summary>
internal static class ObjectKey
{
    internal static ulong Of(in ObjectName name)
    {
        Span<byte> text = stackalloc byte[ObjectName.MaxLength];
        int length = name.Format(text);
        return Of(name.Fanout, text[ObjectName.FanoutLength..length]);
    }

    /// <summary>The key of a name in the fan-out directory, without parsing it.</summary>
    internal static ulong Of(byte fan, ReadOnlySpan<byte> name) => XxHash3.HashToUInt64(name, fan);
}
