using System.Buffers.Binary;
using System.Globalization;
using System.Text.RegularExpressions;
using HackTree.Checkout;
using HackTree.Store;

namespace HackTree.Boot;

/// <summary>Makes, reads and changes ext4 filesystems inside disk files, without mounting them.</summary>
internal static partial class Ext4
{
    internal const string Name = "ext4";

    /// <summary>The label of the filesystems that are made.</summary>
    internal const string Label = "hacktree";

    private const int SuperblockOffset = 1024;
    private const int MagicOffset = 0x38;
    private const int UuidOffset = 0x68;
    private const ushort Magic = 0xEF53;

    // GRUB 2.06 cannot read a filesystem with metadata_csum_seed, and older kernels cannot read one with orphan_file. verity is off by
    // default.
    private const string Features = "verity,^metadata_csum_seed,^orphan_file";

    /// <summary>
    /// Makes a filesystem from a directory. mkfs keeps hardlinks, owners, modes, attributes, devices, and times in whole seconds.
    /// </summary>
    internal static void Make(string disk, Partition partition, string directory, Guid uuid, CancellationToken stop = default)
    {
        const int kibibyte = 1024;
        string[] size = ["-E", $"offset={partition.Offset},root_owner=0:0", disk, $"{partition.Length / kibibyte}k"];
        string[] options = ["-q", "-F", "-O", Features, "-L", Label, "-U", uuid.ToString(), "-d", directory];
        ProgramRun run = Tool.MakeExt4.TryRun([.. options, .. size], stop: stop);
        if (!run.Succeeded)
        {
            bool isFull = run.Error.Contains("Could not allocate", StringComparison.Ordinal)
                || run.Error.Contains("No space", StringComparison.OrdinalIgnoreCase);
            throw new StoreException(isFull
                ? $"the tree does not fit into {partition.Length / ImageLayout.MiB} MiB; give more with --size"
                : $"mkfs.ext4 failed: {run.LastWords}");
        }
    }

    /// <summary>The inode number of a path in a filesystem.</summary>
    internal static ulong InodeOf(string disk, Partition partition, string path)
    {
        string output = Tool.DebugExt4.Run("-R", $"stat {path}", Address(disk, partition));
        Match match = InodeLine().Match(output);
        return match.Success
            ? ulong.Parse(match.Groups[1].ValueSpan, CultureInfo.InvariantCulture)
            : throw new StoreException($"{path} is not in the filesystem that was just made; please report it");
    }

    /// <summary>Replaces files in a filesystem: each pair is a path in the filesystem and the new file outside.</summary>
    internal static void Replace(string disk, Partition partition, IEnumerable<(string Path, string Source)> files, string scratch)
    {
        string script = Path.Combine(scratch, "debugfs");
        File.WriteAllLines(script, files.SelectMany(file => new[] { $"rm {file.Path}", $"write \"{file.Source}\" {file.Path}" }));
        ProgramRun run = Tool.DebugExt4.TryRun(["-w", "-f", script, Address(disk, partition)]);
        File.Delete(script);

        // debugfs writes its version first, and it goes on after a failure.
        string[] complaints = [.. run.Error.Split('\n').Skip(1).Where(line => line.Trim().Length > 0)];
        if (!run.Succeeded || complaints.Length > 0)
        {
            throw new StoreException($"debugfs failed: {ProgramRun.LastLine(run.Error + run.Output)}");
        }
    }

    /// <summary>The UUID of the ext2, ext3 or ext4 filesystem in a partition; null if there is none.</summary>
    internal static string? UuidOf(Stream disk, Partition partition)
    {
        byte[] superblock = new byte[1024];
        disk.Position = partition.Offset + SuperblockOffset;
        bool isThere = partition.Length > 2 * SuperblockOffset
            && disk.ReadAtLeast(superblock, superblock.Length, throwOnEndOfStream: false) == superblock.Length
            && BinaryPrimitives.ReadUInt16LittleEndian(superblock.AsSpan(MagicOffset)) == Magic;
        return isThere ? new Guid(superblock.AsSpan(UuidOffset, 16), bigEndian: true).ToString() : null;
    }

    private static string Address(string disk, Partition partition) => $"{disk}?offset={partition.Offset}";

    [GeneratedRegex(@"^Inode: (\d+)", RegexOptions.Multiline)]
    private static partial Regex InodeLine();
}
