using System.Text;

namespace HackTree.Store;

/// <summary>Finds the directories that an overlay is made of, in the options that mountinfo has for it.</summary>
/// <remarks>
/// The paths are as they were given when the overlay was mounted: perhaps relative, through symbolic links, or of directories that were renamed since.
/// The kernel escapes them. Layers of one "lowerdir" are separated by colons, and a colon in a name has a backslash before it or, in Linux 6.5
/// to 6.7, is escaped like other characters. There a backslash in a name has none before it. So a name with a backslash is read in both ways.
/// </remarks>
internal static class OverlayLayers
{
    private const char Escape = '\\';

    // A descriptor of the process that mounted the overlay, as mount(2) of a commit gives it. In this process it is another file.
    private const string Descriptor = "/proc/self/fd/";

    /// <summary>The paths of an overlay's layers; none for another mount.</summary>
    internal static IEnumerable<string> Of(Mount mount)
    {
        if (mount.Type != "overlay")
        {
            return [];
        }

        var paths = new List<string>();
        foreach (string option in mount.Options.Split(','))
        {
            int sign = option.IndexOf('=', StringComparison.Ordinal);
            string value = option[(sign + 1)..];
            switch (sign < 0 ? "" : option[..sign])
            {
                case "lowerdir":
                    paths.AddRange(Split(value, isEscaped: true));
                    paths.AddRange(Split(value, isEscaped: false));
                    break;
                case "lowerdir+" or "datadir+" or "upperdir" or "workdir":
                    paths.Add(Mount.Unescape(value));
                    break;
                default:
                    break;
            }
        }

        return paths.Where(path => path.Length > 0 && !path.StartsWith(Descriptor, StringComparison.Ordinal)).Distinct();
    }

    /// <summary>Splits a list of layers. Between data layers there are two colons.</summary>
    /// <param name="list">The list, with the kernel's escapes.</param>
    /// <param name="isEscaped">Whether a backslash escapes the character behind it.</param>
    private static IEnumerable<string> Split(string list, bool isEscaped)
    {
        const string Backslash = @"\134";
        var name = new StringBuilder();
        for (int i = 0; i < list.Length; i++)
        {
            if (isEscaped && list.AsSpan(i).StartsWith(Backslash) && i + Backslash.Length < list.Length)
            {
                // The next character is taken as it is, a colon too. If it has an escape of the kernel, that is replaced at the end.
                i += Backslash.Length;
                name.Append(list[i] == Escape ? list.AsSpan(i, Math.Min(4, list.Length - i)) : list.AsSpan(i, 1));
                i += list[i] == Escape ? Math.Min(4, list.Length - i) - 1 : 0;
            }
            else if (list[i] == ':')
            {
                yield return Mount.Unescape(name.ToString());
                name.Clear();
            }
            else
            {
                name.Append(list[i]);
            }
        }

        yield return Mount.Unescape(name.ToString());
    }
}
