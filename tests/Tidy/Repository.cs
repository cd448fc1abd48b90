using System.Text.RegularExpressions;

namespace HackTree.Tests.Tidy;

/// <summary>The files of the repository that these tests were built from.</summary>
internal static partial class Repository
{
    public static string Root { get; } = FindRoot();

    /// <summary>The program that <c>make build</c> made.</summary>
    public static string Program => Path.Combine(Root, "out", "hacktree");

    /// <summary>The files with this ending, as paths below the root with '/'. Built and hidden files are left out.</summary>
    public static IEnumerable<string> Files(string folder, params string[] endings)
    {
        var top = new DirectoryInfo(Path.Combine(Root, folder));
        return !top.Exists ? [] : Below(top)
            .Select(path => Path.GetRelativePath(Root, path))
            .Where(path => endings.Any(ending => path.EndsWith(ending, StringComparison.Ordinal)))
            .Order(StringComparer.Ordinal);
    }

    /// <summary>Symbolic links are not followed, and out/ is left out: the links of trees there lead anywhere, even to /dev/fd.</summary>
    private static IEnumerable<string> Below(DirectoryInfo directory)
    {
        foreach (FileSystemInfo entry in directory.EnumerateFileSystemInfos())
        {
            if (entry.Name.StartsWith('.') || entry.LinkTarget != null)
                continue;

            if (entry is not DirectoryInfo below)
                yield return entry.FullName;
            else if (entry.Name is not ("bin" or "obj" or "out"))
            {
                foreach (string path in Below(below))
                    yield return path;
            }
        }
    }

    public static string Read(string path) => File.ReadAllText(Path.Combine(Root, path));

    /// <summary>The text of a source without its comments and literals, so that a word found in it is code.</summary>
    public static string Code(string path) => CommentOrLiteral().Replace(Read(path), " ");

    private static string FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "HackTree.sln")))
            folder = folder.Parent ?? throw new DirectoryNotFoundException($"no HackTree.sln above {AppContext.BaseDirectory}");

        return folder.FullName;
    }

    [GeneratedRegex("""
        //[^\n]* | /\*[\s\S]*?\*/
        | \$*"{3,}[\s\S]*?"{3,} | \$?@\$?"(?:""|[^"])*" | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])+'
        """, RegexOptions.IgnorePatternWhitespace)]
    private static partial Regex CommentOrLiteral();
}
