using System.Diagnostics.CodeAnalysis;
using System.Text;
using HackTree.Linux;

namespace HackTree.Boot;

/// <summary>Checks whether an initrd can be read completely, and whether it has HackTree's files as this program carries them.</summary>
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

    /// <summary>The problems, each a sentence; empty if there are none.</summary>
    public IReadOnlyList<string> Problems => problems;

    /// <summary>The number of segments that could be read.</summary>
    public int Segments { get; private set; }

    /// <summary>The number of entries in those segments.</summary>
    public long Entries { get; private set; }

    /// <summary>Whether HackTree's files are in an appended segment. Otherwise update-initramfs or dracut put them in.</summary>
    public bool IsPatched { get; private set; }

    /// <summary>Reads a whole initrd and checks it.</summary>
    /// <exception cref="LinuxException">The file cannot be opened or read.</exception>
    public static InitrdVerify Run(string path) => Run(path, path);

    /// <summary>Checks an initrd that messages call by another name than its path.</summary>
    internal static InitrdVerify Run(string path, string subject)
    {
        var verify = new InitrdVerify();
        try
        {
            using InitrdReader reader = InitrdReader.Open(path, subject, default);
            verify.Check(subject, InitrdScan.Run(reader, subject, verify.Take));
        }
        catch (InitrdException e)
        {
            verify.problems.Add(e.Message);
        }

        return verify;
    }

    private void Check(string path, InitrdScan scan)
    {
        List<ScannedSegment> ours = scan.Segments.FindAll(segment => segment.IsOurs);
        IsPatched = ours.Count > 0;
        if (ours.Count > 1)
        {
            problems.Add($"{path}: there are {ours.Count} segments of HackTree; run `hacktree initrd patch` on it again");
        }

        string? fault = scan.Fault(path);
        if (fault != null)
        {
            problems.Add(fault);
        }

        // An initrd of dracut has no scripts/ and no conf/, and reads nothing there.
        var missing = wanted.Keys
            .Where(file => !same.Contains(file) && !different.Contains(file) && folders.Contains(Folder(file)))
            .Order(StringComparer.Ordinal)
            .ToList();
        if (same.Count + different.Count > 0)
        {
            problems.AddRange(missing.Select(file => $"{path}: {file} is missing; {Mend}"));
        }
        else if (fault == null)
        {
            problems.Add(
                $"{path}: it carries nothing of HackTree; run `hacktree initrd patch` on it, "
                + "or run `hacktree initrd install` and make the initrd again");
        }

        IEnumerable<string> others = different.Order(StringComparer.Ordinal);
        problems.AddRange(others.Select(file => $"{path}: {file} is not the one of this program; {Mend}"));
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

        if (wanted.TryGetValue(path, out BootFile? file) || TryGetHook(reader, path, out file))
        {
            // The last file of a name counts, as in the kernel.
            bool isSame = IsSame(reader, file);
            _ = (isSame ? same : different).Add(path);
            _ = (isSame ? different : same).Remove(path);
        }
    }

    /// <summary>dracut puts its hook into a directory, and gives it a name and a mode, which depend on dracut's version.</summary>
    private static bool TryGetHook(InitrdReader reader, string path, [NotNullWhen(true)] out BootFile? file)
    {
        file = InitrdMaker.IsDracutHook(path) ? new BootFile(path, reader.Header.Permissions, BootFiles.Read("dracut/enter.sh")) : null;
        return file != null;
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
