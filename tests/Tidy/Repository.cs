using System.Text.RegularExpressions;

namespace HackTree.Tests.Tidy;

/// <summary>The checkout that these tests were built from, as files.</summary>
internal static partial class Repository
{
    public static string Root { get; } = FindRoot();

    /// <summary>The program as <c>make build</c> left it.</summary>
    public static string Program => Path.Combine(Root, "out", "hacktree");

    /// <summary>Paths below the root, with '/', of files that end so; nothing that was built, nothing hidden.</summary>
    public static IEnumerable<string> Files(string folder, params string[] endings)
    {
        var top = new DirectoryInfo(Path.Combine(Root, folder));
        return !top.Exists ? [] : Below(top)
            .Select(path => Path.GetRelativePath(Root, path))
            .Where(path => endings.Any(ending => path.EndsWith(ending, StringComparison.Ordinal)))
            .Order(StringComparer.Ordinal);
    }

    /// <summary>A link is not walked through, and out/ not walked at all: trees lie there whose links lead anywhere, /dev/fd among them.</summary>
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
