using System.Globalization;
using System.Text;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Cli;

/// <summary>
/// The names of owners and groups by the commit's own etc/passwd and etc/group, because another machine may call the same numbers otherwise. An
/// owner without a name, and all owners if the files cannot be read, are numbers.
/// </summary>
internal sealed class OwnerNames
{
    private const int LargestFile = 4 << 20;
    private const int IdField = 2;

    private readonly Dictionary<uint, string> users;
    private readonly Dictionary<uint, string> groups;

    internal OwnerNames(ObjectStore store, Commit commit)
    {
        users = Read(store, commit, "etc/passwd"u8);
        groups = Read(store, commit, "etc/group"u8);
    }

    internal string User(uint id) => Find(users, id);

    internal string Group(uint id) => Find(groups, id);

    private static string Find(Dictionary<uint, string> names, uint id) =>
        names.TryGetValue(id, out string? name) ? name : id.ToString(CultureInfo.InvariantCulture);

    private static Dictionary<uint, string> Read(ObjectStore store, Commit commit, ReadOnlySpan<byte> path)
    {
        var names = new Dictionary<uint, string>();
        foreach (string line in Text(store, commit, path).Split('\n'))
        {
            string[] fields = line.Split(':');
            if (fields.Length > IdField && fields[0].Length > 0
                && uint.TryParse(fields[IdField], NumberStyles.None, CultureInfo.InvariantCulture, out uint id))
            {
                // If several names have one number, the first one counts, as in the C library.
                _ = names.TryAdd(id, CommitText.Line(fields[0]));
            }
        }

        return names;
    }

    private static string Text(ObjectStore store, Commit commit, ReadOnlySpan<byte> path)
    {
        try
        {
            if (!TreeWalk.TryFollow(store.Packs, commit, path, out TreeEntry entry) || entry.Kind != EntryKind.Regular || entry.Size > LargestFile)
            {
                return "";
            }

            using var text = new MemoryStream((int)entry.Size);
            store.Blobs.Read(entry, ByteText.Quote(path), text.Write);
            return Encoding.UTF8.GetString(text.GetBuffer(), 0, (int)text.Length);
        }
        catch (Exception e) when (e is StoreException or LinuxException)
        {
            // Only root may read the objects of root's store.
            return "";
        }
    }
}
