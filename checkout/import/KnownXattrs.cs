using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Checkout;

/// <summary>
/// The sets of extended attributes that an import has read. Many files of a tree have equal sets, so most files that the stat cache knows need
/// no call for their attributes. For one thread.
/// </summary>
/// <param name="reader">Reads the attributes of files.</param>
/// <param name="seesAll">
/// Whether this process sees all attributes as they are. Others than root see no trusted ones, and in a user namespace the ids in ACLs are others. What they
/// see is not recorded, and what was recorded is not what they would see.
/// </param>
internal sealed class KnownXattrs(Xattrs reader, bool seesAll)
{
    // These bound the memory. A tree may have a different set for each file.
    private const int MostSets = 1024;
    private const int LongestSet = 4096;

    private readonly Dictionary<CachedXattrs, byte[]> sets = [];

    /// <summary>
    /// Finds the attributes of a name in a directory, by what the stat cache has recorded of them. They are read if their set is not known yet.
    /// False if the name has others: it was changed since its status was taken.
    /// </summary>
    /// <remarks>
    /// A digest in the stat cache is that of a whole set. A set of which something was left out has another digest, so none is found for a file
    /// that has more.
    /// </remarks>
    internal bool TryFind(CachedXattrs recorded, SafeFileHandle directory, ReadOnlySpan<byte> name, object subject, out byte[] found)
    {
        found = [];
        if (recorded == CachedXattrs.None)
        {
            return true;
        }

        if (seesAll && sets.TryGetValue(recorded, out byte[]? known))
        {
            found = known;
            return true;
        }

        found = reader.Read(directory, name, subject);
        return !seesAll || Add(found) == recorded || recorded == CachedXattrs.Unknown || reader.HasLeftOut;
    }

    /// <summary>What the stat cache is to keep of the set that the reader has read last.</summary>
    internal CachedXattrs Record(byte[] set) => reader.HasLeftOut || (set.Length > 0 && !seesAll) ? CachedXattrs.Unknown : Add(set);

    private CachedXattrs Add(byte[] set)
    {
        var recorded = CachedXattrs.Of(set);
        if (sets.Count == MostSets)
        {
            sets.Clear();
        }

        if (set.Length is > 0 and <= LongestSet)
        {
            sets[recorded] = set;
        }

        return recorded;
    }
}
