using System.Security.Cryptography;

namespace HackTree.Checkout;

/// <summary>
/// The attributes that more than one inode has. The image has each of them once, behind the inodes. First the attributes of all inodes are
/// counted, then each has an offset.
/// </summary>
internal sealed class SharedAttributes
{
    private readonly long seed = BitConverter.ToInt64(RandomNumberGenerator.GetBytes(sizeof(long)));
    private readonly Dictionary<UInt128, uint> offsets = [];
    private readonly List<(byte[] Name, byte[] Value, UInt128 Key)> shared = [];
    private HashSet<UInt128> seen = [];

    /// <summary>The bytes of all of them.</summary>
    internal long Size { get; private set; }

    /// <summary>Counts the attributes of an inode.</summary>
    internal void Count(InodeAttributes attributes)
    {
        for (int i = 0; i < attributes.Count; i++)
        {
            UInt128 key = attributes.Key(i, seed);
            if (!seen.Add(key) && offsets.TryAdd(key, 0))
            {
                shared.Add((attributes.Name(i).ToArray(), attributes.Value(i).ToArray(), key));
            }
        }
    }

    /// <summary>Gives each its offset, once all inodes were counted. composefs has them in falling order.</summary>
    internal void Place()
    {
        seen = [];
        shared.Sort((x, y) => y.Name.AsSpan().SequenceCompareTo(x.Name) is not 0 and var byName ? byName
            : x.Value.Length != y.Value.Length ? y.Value.Length.CompareTo(x.Value.Length)
            : y.Value.AsSpan().SequenceCompareTo(x.Value));
        foreach ((byte[] name, byte[] value, UInt128 key) in shared)
        {
            offsets[key] = (uint)Size;
            Size += ErofsLayout.AttributeSize(name, value.Length);
        }
    }

    /// <summary>Whether an inode's attribute is a shared one, and where it is.</summary>
    internal bool TryFind(InodeAttributes attributes, int i, out uint offset) => offsets.TryGetValue(attributes.Key(i, seed), out offset);

    internal void Write(ImageOutput output)
    {
        foreach ((byte[] name, byte[] value, _) in shared)
        {
            ErofsLayout.WriteAttribute(output.Zeros(ErofsLayout.AttributeSize(name, value.Length)), name, value);
        }
    }
}
