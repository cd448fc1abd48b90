using System.Text;
using HackTree.Boot;
using HackTree.Store;

namespace HackTree.Tests.Fuzz;

/// <summary>The decoders of what stands on disks and in roots: initrds, boot loaders' files, tables of partitions, files of /etc.</summary>
internal static class BootTargets
{
    private static readonly byte[][] CpioWords = [.. StoreTargets.Words("070701", "070702", "TRAILER!!!\0", "00000000", "FFFFFFFF", "000081A4", "0000A1FF"), new byte[512]];

    private static readonly byte[][] EntryWords = StoreTargets.Words(
        "options ", "subroot=", "subroot.trial ", "subroot.fallback=r0 ", "panic=10", "\nversion ", "\nsort-key 0-hacktree", "\nlinux /x", "\ninitrd /x", "\ttitle", "\n");

    private static readonly byte[][] StepWords = StoreTargets.Words("FROM x", "RUN ", "\\\n", "#", "\0", "\r\n", "\uFEFF");

    private static readonly byte[][] SettingWords = StoreTargets.Words("[Upgrade]\n", "\nWindow=", "\nRef=", "\nReboot=no", ";", "Mon..Fri ", "22:00-02:00", "24:00", "#");

    public static IEnumerable<FuzzTarget> All(FuzzPlace place) =>
    [
        new("initrd", ReadInitrd)
        {
            Refusals = [typeof(InitrdException)],
            Words = CpioWords,
            Memory = 400L * 1024 * 1024,
            Time = TimeSpan.FromSeconds(3),
            TimePerByte = TimeSpan.FromMilliseconds(1),
            Burst = 500,
        },
        new("initrd-verify", bytes => InitrdVerify.Run(place.Write("initrd", bytes)).Problems is not null)
        {
            Refusals = [typeof(InitrdException)],
            Words = CpioWords,
            Memory = 400L * 1024 * 1024,
            Time = TimeSpan.FromSeconds(3),
            TimePerByte = TimeSpan.FromMilliseconds(1),
            Burst = 200,
        },
        new("grub-environment", bytes => ReadGrub(place, bytes)) { Refusals = [typeof(StoreException)], Words = StoreTargets.Words("saved_entry=", "\n", "options=a b=c") },
        new("loader-entry", ReadEntry) { Words = EntryWords },
        new("bisect", bytes => ReadBisect(place, bytes)) { Refusals = [typeof(CorruptException)], Words = StoreTargets.Words("\ngood ", "\nbad ", "\nroot r1 ", "\ntrial r1", "yes") },
        new("recipe", bytes => Recipe.Read(place.Write("recipe", bytes)).Count > 0) { Refusals = [typeof(StoreException)], Words = StepWords },
        new("settings", bytes => ReadSettings(bytes)) { Refusals = [typeof(StoreException)], Words = SettingWords },
        new("fstab", bytes => Fstab.Parse(Encoding.Latin1.GetString(bytes)).All(line => line.Name.Length > 0)) { Words = StoreTargets.Words("UUID=", " / ", "\tswap\t", "noauto") },
        new("partition-table", ReadPartitions) { Seal = GptSeal.Of, Words = [[0x55, 0xAA], [0xEE], "EFI PART"u8.ToArray(), [0x0F], [0x83]] },
        new("accounts", ReadAccounts) { Words = StoreTargets.Words(":x:0:0:", "\n", "root:", "+::", "::::::"), MemoryPerByte = 3000 },
        new("merged-lines", MergeLines) { Words = StoreTargets.Words("\n", "a\n", "\n\n"), MemoryPerByte = 30_000, TimePerByte = TimeSpan.FromMicroseconds(200) },
        new("conversion", bytes => ReadConversion(place, bytes)) { Refusals = [typeof(StoreException)], Words = StoreTargets.Words("null", "\"\\ud800\"", "\"r0\"", "{}", "1e99") },
    ];

    private static bool ReadSettings(byte[] bytes)
    {
        var settings = UpgradeSettings.Parse(Encoding.UTF8.GetString(bytes), "settings");
        return settings.IsOpen(settings.NextOpening(DateTimeOffset.UnixEpoch, TimeZoneInfo.Utc), TimeZoneInfo.Utc);
    }

    private static bool ReadInitrd(byte[] bytes)
    {
        byte[] buffer = new byte[64 * 1024];
        using var reader = new InitrdReader(new MemoryStream(bytes), "test.img");
        int left = CheckoutTargets.MostUnpacked;
        while (left > 0 && reader.NextSegment())
        {
            while (left > 0 && reader.NextEntry())
            {
                Assert.True(reader.Name.Length is > 0 and < 4096 && !reader.Name.Contains((byte)0));
                while (left > 0 && reader.ReadContent(buffer) is > 0 and int count)
                {
                    left -= count;
                }
            }
        }

        return true;
    }

    /// <summary>Reads the block as the loader's, and as the options of a root.</summary>
    private static bool ReadGrub(FuzzPlace place, byte[] bytes)
    {
        string path = place.Write($"root/{KernelOptions.File}", bytes);
        var environment = GrubEnvironment.Read(path);
        string before = environment.Get("saved_entry") ?? "";
        environment.Set("saved_entry", before + "x");
        environment.Set("saved_entry", null);
        var options = new KernelOptions(place.At("root"), "quiet ro");
        options.Replace("console=ttyS0");
        options.Append("quiet");
        options.Delete("quiet");
        return options.IsOwn;
    }

    private static bool ReadEntry(byte[] bytes)
    {
        if (LoaderEntry.Read("r1+2-1.conf", Encoding.UTF8.GetString(bytes)) is not { } entry)
        {
            return false;
        }

        LoaderEntry again = LoaderEntry.Read(entry.FileNames.First(), entry.Text) ?? throw new InvalidOperationException("what is written is not read");
        Assert.Equal((entry.Root, entry.Rank, entry.Kernel, entry.Fallback), (again.Root, again.Rank, again.Kernel, again.Fallback));
        return true;
    }

    private static bool ReadBisect(FuzzPlace place, byte[] bytes)
    {
        string path = BisectState.PathIn(place.At("physical"));
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, bytes);
        return BisectState.Read(place.At("physical")) is not null;
    }

    private static bool ReadPartitions(byte[] bytes)
    {
        using var disk = new MemoryStream(bytes);
        if (!PartitionTable.TryRead(disk, out List<Partition>? partitions, out string? error))
        {
            Assert.NotEmpty(error);
            return false;
        }

        foreach (Partition partition in partitions)
        {
            Assert.True(partition.Offset >= 0 && partition.Length >= 0 && partition.Offset <= bytes.Length - partition.Length);
            _ = PartitionContent.Find(disk, partition);
        }

        _ = ForeignFormat.Find(disk, "disk.img");
        return true;
    }

    private static bool ReadAccounts(byte[] bytes)
    {
        byte[][] parts = Parts(bytes);
        foreach (string file in (string[])["passwd", "group", "shadow", "gshadow", "subuid"])
        {
            _ = AccountMerge.Run(Encoding.ASCII.GetBytes(file), parts[0], parts[1], parts[2]).Merged;
        }

        return true;
    }

    private static bool MergeLines(byte[] bytes)
    {
        string[] parts = [.. Parts(bytes).Select(Encoding.Latin1.GetString)];
        return LineMerge.Run(parts[0], parts[1], parts[2]) is not null;
    }

    /// <summary>The old file, mine and theirs, with a byte 0xFF between them.</summary>
    private static byte[][] Parts(byte[] bytes)
    {
        byte[][] parts = [[], [], []];
        for (int i = 0; i < parts.Length; i++)
        {
            int end = Array.IndexOf(bytes, (byte)0xFF);
            parts[i] = end < 0 || i == parts.Length - 1 ? bytes : bytes[..end];
            bytes = end < 0 ? [] : bytes[(end + 1)..];
        }

        return parts;
    }

    private static bool ReadConversion(FuzzPlace place, byte[] bytes)
    {
        place.Write(ConversionJournal.FileName, bytes);
        return ConversionJournal.Read(place.At(""), "disk.img") is not null;
    }
}
