using System.CommandLine;
using HackTree.Boot;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Cli;

internal sealed class InitrdCatCommand : Verb
{
    private readonly Argument<string> input = InitrdCommand.Input();
    private readonly Argument<string> place = new("PATH") { Description = "The file in the initrd." };

    internal InitrdCatCommand()
        : base("cat", "Write a file of an initrd to standard output.", "hacktree initrd cat /boot/initrd.img-6.1.0-56-amd64 init")
    {
        Add(input);
        Add(place);
        Details = "If several segments have the file, the last one counts, as at boot.";
    }

    protected override StopWay WayToStop(Session session) => StopWay.EndAtOnce;

    protected override int Run(Session session)
    {
        byte[] path = Plain(Session.TreePath(session.Get(place)));
        int last = FindLast(session, path);
        using InitrdReader reader = InitrdReader.Open(session.Get(input));
        for (int found = 0; found < last;)
        {
            found += Next(reader) && IsContent(reader, path) ? 1 : 0;
        }

        if (reader.Header.Type != FileType.Regular)
        {
            string target = reader.Header.Type == FileType.Symlink ? $"; it is a symbolic link to {ByteText.Quote(reader.Target)}" : "";
            throw new StoreException($"'{session.Get(place)}' is not a regular file{target}; give a file");
        }

        byte[] buffer = GC.AllocateUninitializedArray<byte>(64 * 1024);
        while (reader.ReadContent(buffer) is var count and > 0)
        {
            Session.Output.Write(buffer.AsSpan(0, count));
        }

        return ExitCode.Done;
    }

    /// <summary>Counts the entries with the path. The last one is the file that counts.</summary>
    private int FindLast(Session session, byte[] path)
    {
        using InitrdReader reader = InitrdReader.Open(session.Get(input));
        int count = 0;
        bool isHardLink = false;
        while (Next(reader))
        {
            if (IsContent(reader, path))
            {
                count++;
                isHardLink = reader.Header is { LinkCount: > 1, Size: 0, Type: FileType.Regular };
            }
        }

        return count == 0
                ? throw new StoreException($"'{session.Get(place)}' is not in {session.Get(input)}; `hacktree initrd ls` shows what is")
            : isHardLink
                ? throw new StoreException(
                    $"'{session.Get(place)}' is one of several names of a file, and the archive has the content at another name; "
                    + "`hacktree initrd extract` unpacks it")
            : count;
    }

    private static bool Next(InitrdReader reader)
    {
        while (!reader.NextEntry())
        {
            if (!reader.NextSegment())
            {
                return false;
            }
        }

        return true;
    }

    private static bool IsContent(InitrdReader reader, byte[] path) => path.AsSpan().SequenceEqual(Plain(reader.Name));

    /// <summary>A name without the "./" or "/" that some archives put before every name.</summary>
    private static byte[] Plain(ReadOnlySpan<byte> name)
    {
        name = name.StartsWith("./"u8) ? name[2..] : name;
        return name.TrimStart((byte)'/').ToArray();
    }
}
