using System.Text.Json;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Cli;

/// <summary>What `fsck` found, as JSON: the sentence, and every fact that it is made of.</summary>
internal static class FindingJson
{
    /// <summary>Writes a finding as an object.</summary>
    internal static void Write(Utf8JsonWriter writer, Finding finding)
    {
        writer.WriteStartObject();
        writer.WriteString("kind", KindOf(finding));
        writer.WriteString("path", finding.Path);
        writer.WriteString("problem", FindingText.Fault(finding));
        WriteSubject(writer, finding);
        WriteNeed(writer, finding.NeededBy);
        writer.EndItem();
    }

    private static string KindOf(Finding finding) => finding switch
    {
        Finding.ForeignFile => "foreign-file",
        Finding.UnreadableDirectory => "unreadable-directory",
        Finding.DamagedObject => "damaged-object",
        Finding.UnreadableObject => "unreadable-object",
        Finding.MissingObject => "missing-object",
        Finding.DisputedObject => "disputed-object",
        Finding.DamagedPack => "damaged-pack",
        Finding.LostTree => "lost-tree",
        Finding.LostCommit or Finding.LostTip => "lost-commit",
        Finding.DamagedRef => "damaged-ref",
        Finding.BrokenAlias => "broken-alias",
        Finding.DamagedRecord => "damaged-record",
        Finding.DamagedImage => "damaged-image",
        Finding.DamagedRootImage => "damaged-root-image",
        Finding.KeptDamage => "kept-damage",
        Finding.UnfinishedRoot => "unfinished-root",
        Finding.MissingRoot => "missing-root",
        _ => throw new ArgumentOutOfRangeException(nameof(finding), finding, "a finding without a name"),
    };

    /// <summary>What the finding is about, and the facts of its kind.</summary>
    private static void WriteSubject(Utf8JsonWriter writer, Finding finding)
    {
        switch (finding)
        {
            case Finding.UnreadableDirectory directory:
                WriteCause(writer, directory.Cause);
                break;
            case Finding.DamagedObject damaged:
                writer.WriteString("object", damaged.Object.ToString());
                WriteFaults(writer, damaged);
                break;
            case Finding.UnreadableObject unreadable:
                writer.WriteString("object", unreadable.Object.ToString());
                WriteCause(writer, unreadable.Cause);
                break;
            case Finding.MissingObject missing:
                writer.WriteString("object", missing.Object.ToString());
                break;
            case Finding.DisputedObject disputed:
                writer.WriteString("object", disputed.Object.ToString());
                break;
            case Finding.DamagedPack pack:
                writer.WriteDigest("pack", pack.Pack);
                writer.WriteNumber("lost", pack.Lost);
                WriteCause(writer, pack.Cause);
                break;
            case Finding.LostTree lost:
                writer.WriteDigest("tree", lost.Tree);
                WriteCause(writer, lost.Cause);
                break;
            case Finding.LostCommit lost:
                writer.WriteDigest("commit", lost.Commit);
                WriteCause(writer, lost.Cause);
                break;
            case Finding.DamagedImage damaged:
                writer.WriteDigest("commit", damaged.Image.Commit);
                WriteCause(writer, damaged.Cause);
                break;
            case Finding.LostTip lost:
                WriteHolder(writer, lost.Holder);
                writer.WriteDigest("commit", lost.Commit);
                WriteCause(writer, lost.Cause);
                break;
            case Finding.DamagedRef damaged:
                WriteHolder(writer, Holder.OfRef(damaged.Ref));
                WriteCause(writer, damaged.Cause);
                break;
            case Finding.BrokenAlias broken:
                writer.WriteString("alias", broken.Alias);
                WriteCause(writer, broken.Cause);
                break;
            case Finding.DamagedRecord damaged:
                WriteHolder(writer, Holder.OfRoot(damaged.Root));
                WriteCause(writer, damaged.Cause);
                break;
            case Finding.DamagedRootImage damaged:
                WriteHolder(writer, Holder.OfRoot(damaged.Root));
                writer.WriteBytes("place", ByteText.FromArgument(damaged.Place));
                writer.WriteDigest("commit", damaged.Commit);
                WriteCause(writer, damaged.Cause);
                break;
            case Finding.KeptDamage kept:
                writer.WriteString("object", kept.Inode.Object.ToString());
                writer.WriteNumber("names", kept.Links);
                writer.WriteBoolean("objectExists", kept.HasObject);
                break;
            case Finding.UnfinishedRoot root:
                WriteHolder(writer, Holder.OfRoot(root.Root));
                break;
            case Finding.MissingRoot root:
                WriteHolder(writer, Holder.OfRoot(root.Root));
                writer.WriteBytes("place", ByteText.FromArgument(root.Place));
                writer.WriteBoolean("pinned", root.IsPinned);
                writer.WriteBoolean("image", root.IsImage);
                break;
        }
    }

    private static void WriteFaults(Utf8JsonWriter writer, Finding.DamagedObject damaged)
    {
        writer.WriteStartArray("faults");
        foreach (ObjectFaultText fault in ObjectFaultText.Of(damaged))
        {
            writer.WriteStartObject();
            writer.WriteString("fault", fault.Name);
            writer.WriteString("expected", fault.Expected);
            writer.WriteString("actual", fault.Actual);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }

    /// <summary>Null where nothing is wrong with what is there: it is missing.</summary>
    private static void WriteCause(Utf8JsonWriter writer, Cause? cause)
    {
        if (cause is null)
        {
            writer.WriteNull("cause");
            return;
        }

        var failed = cause as Cause.FailedCall;
        writer.WriteStartObject("cause");
        writer.WriteString("path", cause.Path);
        writer.WriteString("damage", (cause as Cause.Damage)?.Fault);
        writer.WriteString("errno", failed?.Errno.ToString());
        writer.WriteString("call", failed?.Call);
        writer.WriteEndObject();
    }

    private static void WriteHolder(Utf8JsonWriter writer, Holder holder) =>
        writer.WriteString(holder.Kind == HolderKind.Ref ? "ref" : "root", holder.Name);

    private static void WriteNeed(Utf8JsonWriter writer, Need? need)
    {
        writer.WriteString("neededBy", need is null ? null : FindingText.Who(need));
        if (need is null)
        {
            return;
        }

        writer.WriteStartObject("need");
        WriteHolder(writer, need.Holder);
        writer.WriteDigest("olderCommit", need.OlderCommit);
        writer.WriteBytes("path", need.PathInTree.Span);
        writer.WriteEndObject();
    }
}
