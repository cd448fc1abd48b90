using System.Text;
using HackTree.Linux;
using HackTree.Store;

namespace HackTree.Boot;

/// <summary>
/// Reads a recipe: a text file with one step a line, each a shell command. Empty lines and lines that begin with # are no steps. A line whose last
/// character is \ goes on in the next line.
/// </summary>
public static class Recipe
{
    private static readonly string[] ContainerWords = ["FROM", "RUN", "COPY", "ADD", "ENV", "ARG", "WORKDIR", "USER", "CMD", "ENTRYPOINT"];

    /// <summary>The steps of a recipe. Throws <see cref="StoreException"/> if the file cannot be read or has no steps.</summary>
    public static IReadOnlyList<string> Read(string path)
    {
        List<string> lines = Lines(path);
        var steps = new List<string>();
        var step = new StringBuilder();
        for (int i = 0; i < lines.Count; i++)
        {
            string line = lines[i];
            if (step.Length == 0 && (string.IsNullOrWhiteSpace(line) || line.TrimStart().StartsWith('#')))
            {
                continue;
            }

            step.Append(line);
            if (line.EndsWith('\\') && i + 1 < lines.Count)
            {
                step.Append('\n');
                continue;
            }

            RequireShell(step.ToString(), $"{path}, line {i + 1}");
            steps.Add(step.ToString());
            step.Clear();
        }

        return steps.Count > 0 ? steps : throw new StoreException($"{path}: there is no step in it; a recipe has one shell command a line");
    }

    private static List<string> Lines(string path)
    {
        try
        {
            using FileStream file = OpenPath.Content(path);
            using var reader = new StreamReader(file, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true));
            var lines = new List<string>();
            while (reader.ReadLine() is { } line)
            {
                lines.Add(line);
            }

            return lines;
        }
        catch (DecoderFallbackException)
        {
            throw new StoreException($"{path}: it is no text in UTF-8, and a recipe is one");
        }
        catch (Exception e) when (e is LinuxException or StoreException or IOException)
        {
            throw new StoreException($"{path}: the recipe cannot be read; name a text file of this system");
        }
    }

    private static void RequireShell(string step, string place)
    {
        string word = step.TrimStart().Split([' ', '\t'], 2)[0];
        if (ContainerWords.Contains(word))
        {
            throw new StoreException(
                $"{place}: {word} is a word of container files; a step of a recipe is a shell command, and the rest is said by options");
        }

        if (step.Contains('\0', StringComparison.Ordinal))
        {
            throw new StoreException($"{place}: the line has a byte 0, which no command can have");
        }
    }
}
