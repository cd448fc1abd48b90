using System.Text;
using HackTree.Linux;

namespace HackTree.Boot;

/// <summary>Whether an initrd can be read whole, and whether it carries our files as this program has them.</summary>
public sealed class InitrdVerify
{
    private readonly Dictionary<string, BootFile> wanted = BootSegment.Files.ToDictionary(file => file.Path);
    private readonly HashSet<string> folders = [];
    private readonly HashSet<string> same = [];
    private readonly HashSet<string> different = [];
    private readonly List<string> problems = [];

    private InitrdVerify()
    {
    }

    /// <summary>What is wrong, each a sentence; none where all is well.</summary>
    public IReadOnlyList<string> Problems => problems;

    /// <summary>How many segments could be read.</summary>
    public int Segments { get; private set; }

    /// <summary>How many entries they have.</summary>
    public long Entries { get; private set; }

    /// <summary>Whether our files are there in a segment of ours; else update-initramfs or dracut put them in.</summary>
    public bool IsPatched { get; private set; }

    /// <summary>Reads an initrd whole.</summary>
    /// <exception cref="LinuxException">It cannot be opened or read.</exception>
    public static InitrdVerify Run(string path)
    {
        var verify = new InitrdVerify();
        try
        {
            using InitrdReader reader = InitrdReader.Open(path);
            verify.Check(path, InitrdScan.Run(reader, path, verify.Take));
        }
        catch (InitrdException e)
        {
            verify.problems.Add(e.Message);
        }

        return verify;
    }

    private void Check(string path, List<ScannedSegment> segments)
    {
        List<ScannedSegment> ours = segments.FindAll(segment => segment.IsOurs);
        IsPatched = ours.Count > 0;
        if (ours.Count > 1)
        {
            problems.Add($"{path}: there are {ours.Count} segments of HackTree; run `hacktree initrd patch` on it again");
        }

        // dracut has no scripts/ and no conf/, and reads nothing there.
        var missing = wanted.Keys.Where(file => !same.Contains(file) && !different.Contains(file) && folders.Contains(Folder(file))).Order(StringComparer.Ordinal).ToList();
        if (same.Count + different.Count == 0)
        {
            problems.Add($"{path}: it carries nothing of HackTree; run `hacktree initrd patch` on it, or `hacktree initrd install` and make it again");
        }
        else
        {
            problems.AddRange(missing.Select(file => $"{path}: {file} is missing; {Mend}"));
        }

        if (IsPatched && InitrdScan.Fault(segments, path) is { } fault)
        {
            problems.Add(fault);
        }

        problems.AddRange(different.Order(StringComparer.Ordinal).Select(file => $"{path}: {file} is not the one of this program; {Mend}"));
    }

    private string Mend => IsPatched ? "run `hacktree initrd patch` on it again" : "run `hacktree initrd install` and make the initrd again";

    private void Take(InitrdReader reader)
    {
        Entries++;
        Segments = reader.Segment.Number;
        string path = Encoding.Latin1.GetString(reader.Name).TrimStart('.', '/');
        if (reader.Header.Type == FileType.Directory)
        {
            _ = folders.Add(path);
        }

        if (wanted.TryGetValue(path, out BootFile? file))
        {
            // The last one counts, as in the kernel.
            bool isSame = IsSame(reader, file);
            _ = (isSame ? same : different).Add(path);
            _ = (isSame ? different : same).Remove(path);
        }
    }

    private static bool IsSame(InitrdReader reader, BootFile file)
    {
        if (reader.Header.Type != FileType.Regular || reader.Header.Size != file.Content.Length || reader.Header.Permissions != file.Permissions)
        {
            return false;
        }

        byte[] content = new byte[file.Content.Length];
        int done = 0;
        while (reader.ReadContent(content.AsSpan(done)) is var count and > 0)
        {
            done += count;
        }

        return content.AsSpan().SequenceEqual(file.Content);
    }

    private static string Folder(string path) => path[..Math.Max(0, path.LastIndexOf('/'))];
}
