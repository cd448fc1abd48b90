using System.CommandLine;
using HackTree.Boot;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Cli;

internal sealed class InitrdCatCommand : Verb
{
    private readonly Argument<string> input = InitrdCommand.Input();
    private readonly Argument<string> place = new("PATH") { Description = "The file in it." };

    internal InitrdCatCommand()
        : base("cat", "Write a file of an initrd to standard output.", "hacktree initrd cat /boot/initrd.img-6.1.0-56-amd64 init")
    {
        Add(input);
        Add(place);
        Details = "Where several segments have the file it is the last one's, as when booting.";
    }

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
            throw new StoreException($"'{session.Get(place)}' is no file{target}; give a file");
        }

        byte[] buffer = GC.AllocateUninitializedArray<byte>(64 * 1024);
        while (reader.ReadContent(buffer) is var count and > 0)
        {
            Session.Output.Write(buffer.AsSpan(0, count));
        }

        return ExitCode.Done;
    }

    /// <summary>How many entries have the path; the last one holds.</summary>
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

        return count == 0 ? throw new StoreException($"'{session.Get(place)}' is not in {session.Get(input)}; `hacktree initrd ls` shows what is")
            : isHardLink ? throw new StoreException($"'{session.Get(place)}' is one of several names of a file, and its content stands with another one; `hacktree initrd extract` gives it")
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

    /// <summary>Without the "./" or "/" that some archives have before every name.</summary>
    private static byte[] Plain(ReadOnlySpan<byte> name)
    {
        name = name.StartsWith("./"u8) ? name[2..] : name;
        return name.TrimStart((byte)'/').ToArray();
    }
}
