using System.Globalization;
using HackTree.Linux;
using HackTree.Store;

namespace HackTree.Cli;

/// <summary>One way in which an object is not what its name says.</summary>
/// <param name="Name">In JSON: "mode".</param>
/// <param name="Expected">What it should be; null where that is not known or would say nothing.</param>
/// <param name="Actual">What it is, as <paramref name="Expected"/>.</param>
/// <param name="Sentence">Both in words: "its mode is 0666 instead of 0644".</param>
internal sealed record ObjectFaultText(string Name, string? Expected, string? Actual, string Sentence)
{
    /// <summary>The faults of an object, in the order in which they are told.</summary>
    internal static IEnumerable<ObjectFaultText> Of(Finding.DamagedObject damaged)
    {
        ObjectFaults[] all =
        [
            ObjectFaults.Type, ObjectFaults.Mode, ObjectFaults.Owner, ObjectFaults.Time, ObjectFaults.Attributes, ObjectFaults.Size, ObjectFaults.Content,
            ObjectFaults.Verity,
        ];
        return all.Where(fault => damaged.Faults.HasFlag(fault)).Select(fault => Of(fault, damaged));
    }

    private static ObjectFaultText Of(ObjectFaults fault, Finding.DamagedObject damaged)
    {
        ObjectName named = damaged.Object;
        ObjectFacts actual = damaged.Actual;
        return fault switch
        {
            ObjectFaults.Type => new("type", EntryText.TypeOf(FileType.Regular), EntryText.TypeOf(actual.Type), "not a regular file"),
            ObjectFaults.Mode => Differs("mode", "mode", JsonText.Octal(named.Metadata.Mode), JsonText.Octal(actual.Mode)),
            ObjectFaults.Owner => Differs("owner", "owner", $"{named.Metadata.Uid}:{named.Metadata.Gid}", $"{actual.Uid}:{actual.Gid}"),
            ObjectFaults.Time => Differs("time", "modification time", Time(new FileTime(named.Metadata.ModifyTime, 0)), Time(actual.ModifyTime)),
            ObjectFaults.Attributes => new("attributes", null, null, "its extended attributes are not those its name stands for"),
            ObjectFaults.Size =>
                new("size", Number(damaged.ExpectedSize), Number(actual.Size), $"it has {actual.Size} bytes where a tree says {damaged.ExpectedSize}"),
            ObjectFaults.Content => new("content", named.Blob.ToString(), actual.Content.ToString(), "its content is not what its name says"),
            ObjectFaults.Verity => new("verity", null, null, "it has no fs-verity, which this store requires"),
            _ => throw new ArgumentOutOfRangeException(nameof(fault), fault, "not one fault"),
        };
    }

    private static ObjectFaultText Differs(string name, string words, string expected, string actual) =>
        new(name, expected, actual, $"its {words} is {actual} instead of {expected}");

    private static string? Number(long? number) => number?.ToString(CultureInfo.InvariantCulture);

    private static string Time(FileTime time) => time.Nanoseconds == 0
        ? time.Seconds.ToString(CultureInfo.InvariantCulture)
        : string.Create(CultureInfo.InvariantCulture, $"{time.Seconds}.{time.Nanoseconds:d9}");
}
