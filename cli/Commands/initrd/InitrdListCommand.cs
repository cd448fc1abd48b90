using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using HackTree.Boot;
using HackTree.Linux;
using HackTree.Model;

namespace HackTree.Cli;

internal sealed class InitrdListCommand : Verb
{
    private readonly Argument<string> input = InitrdCommand.Input();
    private readonly Option<bool> json;

    internal InitrdListCommand()
        : base("ls", "List the segments of an initrd and their entries.", "hacktree initrd ls /boot/initrd.img-6.1.0-56-amd64")
    {
        Add(input);
        json = AddJson();
        Details = "One line for each entry: mode, links, owner, group, size, time, name. Bytes of a name that are not UTF-8 appear as \\ooo.";
    }

    protected override StopWay WayToStop(Session session) => StopWay.EndAtOnce;

    protected override int Run(Session session)
    {
        using InitrdReader reader = InitrdReader.Open(session.Get(input));
        if (session.Get(json))
        {
            JsonText.Write(writer => WriteJson(writer, reader));
            return ExitCode.Done;
        }

        while (reader.NextSegment())
        {
            InitrdSegment segment = reader.Segment;
            Session.Output.WriteLine($"segment {segment.Number} at byte {segment.Offset}: {Lower(segment.Compression)}");
            while (reader.NextEntry())
            {
                Session.Output.Write(Long(reader.Header));
                Session.Output.Write(ByteText.Quote(reader.Name));
                Session.Output.WriteLine(reader.Header.Type == FileType.Symlink ? $" -> {ByteText.Quote(reader.Target)}" : "");
            }
        }

        return ExitCode.Done;
    }

    private static string Long(CpioHeader header)
    {
        bool isDevice = header.Type is FileType.CharacterDevice or FileType.BlockDevice;
        string size = isDevice ? $"{header.DeviceMajor}, {header.DeviceMinor}" : header.Size.ToString(CultureInfo.InvariantCulture);
        char type = "?pc?d?b?-?l?s???"[(int)header.Type >> 12];
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{EntryText.Mode(type, header.Permissions)} {header.LinkCount,3} {header.Uid,5} {header.Gid,5} {size,10} ")
            + $"{HumanText.ShortDate(header.ModifyTime)} ";
    }

    private static void WriteJson(Utf8JsonWriter writer, InitrdReader reader)
    {
        writer.WriteStartObject();
        writer.WriteStartArray("segments");
        while (reader.NextSegment())
        {
            writer.WriteStartObject();
            writer.WriteNumber("offset", reader.Segment.Offset);
            writer.WriteString("compression", Lower(reader.Segment.Compression));
            writer.WriteStartArray("entries");
            while (reader.NextEntry())
            {
                WriteEntry(writer, reader);
            }

            writer.WriteEndArray();
            writer.WriteNumber("end", reader.End);
            writer.EndItem();
        }

        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    private static void WriteEntry(Utf8JsonWriter writer, InitrdReader reader)
    {
        CpioHeader header = reader.Header;
        writer.WriteStartObject();
        writer.WriteBytes("path", reader.Name);
        writer.WriteString("type", EntryText.TypeOf(header.Type));
        writer.WriteMode(header.Permissions);
        writer.WriteNumber("uid", header.Uid);
        writer.WriteNumber("gid", header.Gid);
        writer.WriteNumber("mtime", header.ModifyTime);
        writer.WriteNumber("links", header.LinkCount);
        switch (header.Type)
        {
            case FileType.Symlink:
                writer.WriteBytes("target", reader.Target);
                break;
            case FileType.CharacterDevice or FileType.BlockDevice:
                writer.WriteNumber("major", header.DeviceMajor);
                writer.WriteNumber("minor", header.DeviceMinor);
                break;
            default:
                writer.WriteNumber("size", header.Size);
                break;
        }

        writer.EndItem();
    }

    private static string Lower(Compression compression) => compression.ToString().ToLowerInvariant();
}
