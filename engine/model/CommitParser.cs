using System.Collections.Immutable;
using System.Globalization;

namespace HackTree.Model;

/// <summary>Reads the lines of a commit's text. Accepts other forms than the canonical text: the caller compares the two.</summary>
internal static class CommitParser
{
    internal static Commit? Parse(string text, string firstLine)
    {
        int headerEnd = text.IndexOf("\n\n", StringComparison.Ordinal);
        if (headerEnd < 0 || !text.StartsWith(firstLine + "\n", StringComparison.Ordinal))
        {
            return null;
        }

        Commit? commit = new()
        {
            Tree = default,
            RootMetadata = default,
            Time = 0,
            Files = 0,
            ContentBytes = 0,
            Body = text[(headerEnd + 2)..],
        };
        // The parents are collected apart. Adding each to the commit would copy those before it: seconds for a commit of nothing but
        // parents.
        ImmutableArray<Digest>.Builder parents = ImmutableArray.CreateBuilder<Digest>();
        foreach (string line in text[..headerEnd].Split('\n').Skip(1))
        {
            int space = line.IndexOf(' ', StringComparison.Ordinal);
            commit = space < 0 ? null : With(commit, line[..space], line[(space + 1)..], parents);
            if (commit is null)
            {
                return null;
            }
        }

        return commit with { Parents = parents.ToImmutable() };
    }

    private static Commit? With(Commit commit, string key, string value, ImmutableArray<Digest>.Builder parents) => key switch
    {
        "tree" => Digest.TryParse(value, out Digest tree) ? commit with { Tree = tree } : null,
        "root" => WithRoot(commit, value.Split(' ')),
        "root-xattrs" => FromHex(value) is { } xattrs ? commit with { RootXattrs = xattrs } : null,
        "parent" => WithParent(commit, value, parents),
        "time" => Number(value, out long time) ? commit with { Time = time } : null,
        "files" => Number(value, out long files) ? commit with { Files = files } : null,
        "bytes" => Number(value, out long bytes) ? commit with { ContentBytes = bytes } : null,
        "subject" => commit with { Subject = value },
        "meta" => value.IndexOf('=', StringComparison.Ordinal) is > 0 and var equals
            ? commit with { Annotations = commit.Annotations.SetItem(value[..equals], value[(equals + 1)..]) }
            : null,
        _ => null,
    };

    private static Commit? WithParent(Commit commit, string value, ImmutableArray<Digest>.Builder parents)
    {
        if (!Digest.TryParse(value, out Digest parent))
        {
            return null;
        }

        parents.Add(parent);
        return commit;
    }

    private static Commit? WithRoot(Commit commit, string[] fields)
    {
        if (fields.Length != 4
            || fields[0].Length != 4
            || !fields[0].All(c => c is >= '0' and <= '7')
            || !uint.TryParse(fields[1], NumberStyles.None, CultureInfo.InvariantCulture, out uint uid)
            || !uint.TryParse(fields[2], NumberStyles.None, CultureInfo.InvariantCulture, out uint gid)
            || !Number(fields[3], out long time))
        {
            return null;
        }

        return commit with { RootMetadata = new FileMetadata(Convert.ToUInt16(fields[0], 8), uid, gid, time) };
    }

    private static bool Number(string text, out long value) =>
        long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out value);

    private static byte[]? FromHex(string hex) =>
        hex.Length > 0 && hex.Length % 2 == 0 && hex.All(char.IsAsciiHexDigitLower) ? Convert.FromHexString(hex) : null;
}
