using System.Text.Json;
using HackTree.Model;
using HackTree.Store;
using HackTree.Transfer;

namespace HackTree.Cli;

/// <summary>Text and JSON of commits, for `log`, `show`, `refs` and `roots`.</summary>
internal static class CommitText
{
    /// <summary><see cref="Digest.ToShortString"/>.</summary>
    internal static string Short(Digest commit) => commit.ToShortString();

    /// <summary>Prints a commit that was made: its id, or JSON.</summary>
    /// <param name="commit">The commit.</param>
    /// <param name="refName">The ref that was set to it; null for none.</param>
    /// <param name="asJson">Whether to print JSON.</param>
    /// <param name="isNew">Whether the commit was made now; null if that is not told.</param>
    internal static void Print(Digest commit, string? refName, bool asJson, bool? isNew = null)
    {
        if (!asJson)
        {
            Session.Output.WriteLine(commit.ToString());
            return;
        }

        JsonText.Write(writer =>
        {
            writer.WriteStartObject();
            writer.WriteDigest("commit", commit);
            writer.WriteString("ref", refName);
            if (isNew is { } told)
            {
                writer.WriteBoolean("new", told);
            }

            writer.WriteEndObject();
        });
    }

    /// <summary>What a commit says of the damaged objects that it replaced; null if it replaced none.</summary>
    internal static string? Healed(ObjectStore store)
    {
        long count = store.Blobs.HealedCount;
        if (count == 0)
        {
            return null;
        }

        IReadOnlyList<string> names = store.Blobs.Healed;
        string objects = $"{HumanText.Count(count, "damaged object was", "damaged objects were")} replaced by the right content: {string.Join(", ", names)}";
        string more = count > names.Count ? ", ..." : "";
        string roots = store.Blobs.HealedInRoots > 0 ? "; roots that were checked out before keep the damaged file until `hacktree fsck --repair`" : "";
        return objects + more + roots;
    }

    /// <summary>A subject or other text as one line that cannot control the terminal.</summary>
    internal static string Line(string text) =>
        ByteText.Quote(ByteText.FromArgument(text)).Replace("\\\\", "\\", StringComparison.Ordinal);

    /// <summary>The refs of each commit, such as "debian/bookworm, debian/stable". Skips damaged refs, which fsck reports.</summary>
    internal static IReadOnlyDictionary<Digest, string> RefsByCommit(ObjectStore store)
    {
        var names = new Dictionary<Digest, string>();
        foreach (string name in store.Refs.Names())
        {
            try
            {
                Digest commit = store.Refs.Find(name);
                names[commit] = names.TryGetValue(commit, out string? others) ? $"{others}, {name}" : name;
            }
            catch (CorruptException)
            {
                continue;
            }
        }

        names.Remove(default);
        return names;
    }

    /// <summary>A commit as a JSON object.</summary>
    internal static void Write(Utf8JsonWriter writer, ObjectStore store, Digest digest, Commit commit)
    {
        writer.WriteStartObject();
        writer.WriteDigest("commit", digest);
        writer.WriteDigest("tree", commit.Tree);
        writer.WriteStrings("parents", commit.Parents.Select(parent => parent.ToString()));
        writer.WriteNumber("time", commit.Time);
        writer.WriteNumber("files", commit.Files);
        writer.WriteNumber("bytes", commit.ContentBytes);
        writer.WriteString("subject", commit.Subject);
        writer.WriteString("body", commit.Body);
        writer.WriteStartObject("meta");
        foreach ((string key, string value) in commit.Annotations)
        {
            writer.WriteString(key, value);
        }

        writer.WriteEndObject();
        SignatureText.WriteKeys(writer, CommitSignatures.FindFitting(store, digest, commit));
        writer.EndItem();
    }
}
