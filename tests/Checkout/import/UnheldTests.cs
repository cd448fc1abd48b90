using System.Buffers.Binary;
using System.Text;
using HackTree.Checkout;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using HackTree.Tests.Linux;
using HackTree.Tests.Model;
using HackTree.Tests.Support;

namespace HackTree.Tests.Checkout;

/// <summary>
/// Metadata that the store's filesystem does not hold is refused at the commit, with the entry's name; what is accepted comes back whole.
/// </summary>
[Collection(LoopTests.Name)]
public sealed class UnheldTests(LoopFilesystems loops)
{
    private static readonly FileMetadata Metadata = new(0x1ED, 0, 0, 1700000000);

    [Theory]
    [InlineData("f")]
    [InlineData("d")]
    public void An_attribute_that_ext4_has_no_place_for_is_no_full_disk(string kind)
    {
        using var source = new LoopPlace(loops["xfs"]);
        using var place = new StorePlace(loops["ext4"], new StoreFormat());
        Tools.Run("sh", "-c", $"cd {source.Path}; echo 1 > other; {(kind == "f" ? "echo 2 > thing" : "mkdir thing")}").Succeeded();
        SetXattr(source.At("thing"), "user.thumb", new byte[30000]);
        UnheldException e = Assert.Throws<UnheldException>(() => Import(place, source.Path));
        Assert.StartsWith(source.At("thing") + ": ", e.Message, StringComparison.Ordinal);
        Assert.Contains("user.thumb (30000 bytes)", e.Message, StringComparison.Ordinal);
        Assert.Equal(new Remedy.LeaveOutXattr("user.thumb"), e.Remedy);
        place.RequireSound();
        RequireRestored(place, source.Path, new ImportOptions { XattrExcludes = [new PathGlob("user.th*")] });
        RequireRestored(place, source.Path, new ImportOptions { LeavesOutAllXattrs = true });
        Assert.Throws<UnheldException>(() => Import(place, source.Path, new ImportOptions { XattrExcludes = [new PathGlob("user.other")] }));
    }

    [Fact]
    public void More_attributes_than_a_tree_holds_are_one_sentence()
    {
        using var source = new LoopPlace(loops["xfs"]);
        using var place = new StorePlace(loops["xfs"], new StoreFormat());
        File.WriteAllText(source.At("thing"), "");
        for (int i = 0; i < 257; i++)
        {
            SetXattr(source.At("thing"), $"user.{i}", new byte[65536]);
        }

        UnheldException e = Assert.Throws<UnheldException>(() => Import(place, source.Path));
        Assert.StartsWith(source.At("thing") + ": ", e.Message, StringComparison.Ordinal);
        Assert.Contains("16 MiB", e.Message, StringComparison.Ordinal);
        RequireRestored(place, source.Path, new ImportOptions { XattrExcludes = [new PathGlob("user.1*")] });
    }

    [Theory]
    [InlineData(EntryKind.Regular, "com.apple.quarantine")]
    [InlineData(EntryKind.Directory, "com.apple.quarantine")]
    [InlineData(EntryKind.Symlink, "user.note")]
    [InlineData(EntryKind.Fifo, "user.note")]
    [InlineData(EntryKind.CharacterDevice, "user.note")]
    [InlineData(EntryKind.Symlink, "system.posix_acl_access")]
    [InlineData(EntryKind.Regular, "system.posix_acl_default")]
    [InlineData(EntryKind.Regular, "system.posix_acl_access")]
    [InlineData(EntryKind.Directory, "security.capability")]
    public void An_attribute_that_Linux_does_not_hold_is_refused_with_the_entry(EntryKind kind, string attribute)
    {
        using var place = new StorePlace(loops["ext4"], new StoreFormat());
        byte[] archive = Archive(kind, Metadata, (attribute, "abc"u8.ToArray()));
        TarException e = Assert.Throws<TarException>(() => place.Commit(new MemoryStream(archive)));
        Assert.StartsWith(kind == EntryKind.Directory ? "thing/: " : "thing: ", e.Message, StringComparison.Ordinal);
        Assert.Contains(attribute, e.Message, StringComparison.Ordinal);
        Assert.Equal(new Remedy.LeaveOutXattr(attribute), e.Remedy);
        place.RequireSound();
        Assert.Empty(Directory.GetFileSystemEntries(place.At("objects/tmp")).Where(x => !x.Contains("unsynced", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("128", "2100-01-01")]
    [InlineData("256", "2500-01-01")]
    [InlineData("256", "1800-01-01")]
    public void A_time_that_the_filesystem_clamps_is_refused_or_clamped_on_request(string inodeSize, string time)
    {
        // A tmpfs holds every time.
        using var source = new LoopPlace("/dev/shm");
        Assert.SkipWhen(Touch("probe") != 0, $"{source.Path} does not hold the time {time}");
        Tools.Run("rm", source.At("probe")).Succeeded();
        using var disk = new LoopFilesystem("ext4", 24, "-I", inodeSize);
        foreach (string make in new[] { "echo x > thing", "mkdir thing", "ln -s x thing", "mkfifo thing" })
        {
            using var place = new StorePlace(disk.Path, new StoreFormat());
            Tools.Run("sh", "-c", $"cd {source.Path}; rm -rf thing; {make}; touch -h -d {time}Z thing").Succeeded();
            UnheldException e = Assert.Throws<UnheldException>(() => Import(place, source.Path));
            Assert.StartsWith($"{source.At("thing")}: its modification time, {time}, is ", e.Message, StringComparison.Ordinal);
            Assert.Equal(new Remedy.ClampTimes(), e.Remedy);
            RequireRestored(place, source.Path, new ImportOptions { ClampsTimes = true });
            using var zero = new StorePlace(disk.Path, new StoreFormat { KeepTimes = false });
            RequireRestored(zero, source.Path, new ImportOptions());
        }

        int Touch(string name)
        {
            Tools.Run("touch", "-d", $"{time}Z", source.At(name)).Succeeded();
            return Tools.Run("sh", "-c", $"test $(date -u -r {source.At(name)} +%F) = {time}").ExitCode;
        }
    }

    [Theory]
    [InlineData(0x180, 0x1B4)]
    [InlineData(0x980, 0x9B4)]
    [InlineData(0x1FF, 0x1B4)]
    public void An_access_list_counts_more_than_the_mode(int mode, int result)
    {
        foreach (EntryKind kind in new[] { EntryKind.Regular, EntryKind.Directory, EntryKind.Fifo })
        {
            using var place = new StorePlace(loops["ext4"], new StoreFormat());

            // u::rw-, u:5:rwx, g::---, m::rw-, o::r--; and the same for what is made in a directory.
            byte[] list = Acl((1, 6, 0), (2, 7, 5), (4, 0, 9), (0x10, 6, 0), (0x20, 4, 1));
            byte[] archive = Archive(kind, Metadata with { Mode = (ushort)mode }, ("system.posix_acl_access", list));
            Digest commit = place.Commit(new MemoryStream(archive));
            place.RequireSound();
            TreeWalk.TryFind(place.Store.Packs, place.Store.Packs.ReadCommit(commit), "thing"u8, out TreeEntry entry);
            Assert.Equal(result, entry.Metadata.Mode);
            RequireRestored(place, commit);
        }
    }

    [Fact]
    public void A_list_that_says_no_more_than_a_mode_becomes_one()
    {
        using var place = new StorePlace(loops["ext4"], new StoreFormat());
        byte[] archive = Archive(EntryKind.Regular, Metadata, ("system.posix_acl_access", Acl((1, 6, 0), (4, 4, 0), (0x20, 0, 0))));
        Digest commit = place.Commit(new MemoryStream(archive));
        place.RequireSound();
        TreeWalk.TryFind(place.Store.Packs, place.Store.Packs.ReadCommit(commit), "thing"u8, out TreeEntry entry);
        Assert.Equal(0x1A0, entry.Metadata.Mode);
        Assert.True(entry.Xattrs.IsEmpty);
        RequireRestored(place, commit);
    }

    [Fact]
    public void Holes_of_an_archives_file_stay_holes()
    {
        Tools.Require("tar");
        using var source = new LoopPlace(loops["ext4"]);
        using var place = new StorePlace(loops["ext4"], new StoreFormat());
        Tools.Run("sh", "-c", $"cd {source.Path}; truncate -s 100000 small; truncate -s 40M large; echo end >> large; tar -Scf a.tar small large").Succeeded();
        using FileStream archive = File.OpenRead(source.At("a.tar"));
        Digest commit = place.Commit(archive);
        place.RequireSound();
        place.Checkout(commit, "r1");
        foreach (string name in new[] { "small", "large" })
        {
            Files.Ok(Sys.Stat(Sys.WorkingDirectory, ByteText.FromArgument(place.At($"r1/{name}")), out FileStatus status));
            Assert.InRange(status.AllocatedBytes, 0, 65536);
            Tools.Run("cmp", source.At(name), place.At($"r1/{name}")).Succeeded();
        }
    }

    private static ImportResult Import(StorePlace place, string path, ImportOptions? options = null)
    {
        using var additions = new Additions(place.Store);
        return TreeImport.Run(additions, path, options ?? new ImportOptions());
    }

    private static void RequireRestored(StorePlace place, string path, ImportOptions options)
    {
        using var additions = new Additions(place.Store);
        ImportResult tree = TreeImport.Run(additions, path, options);
        RequireRestored(place, Committer.Run(additions, tree, new CommitRequest { Ref = "test", Time = StorePlace.CommitTime }));
    }

    private static void RequireRestored(StorePlace place, Digest commit)
    {
        string name = $"r-{Guid.NewGuid():N}";
        place.Checkout(commit, name);
        Commit stored = place.Store.Packs.ReadCommit(commit);
        Assert.Equal(stored.Tree, place.Describe(name).Tree);
        place.RequireSound();
    }

    private static byte[] Archive(EntryKind kind, FileMetadata metadata, params (string Name, byte[] Value)[] attributes)
    {
        byte[] xattrs = XattrSet.Encode(attributes.Select(x => (Encoding.ASCII.GetBytes(x.Name), x.Value)));
        FileMetadata fitting = kind == EntryKind.Symlink ? metadata with { Mode = FileMetadata.SymlinkMode } : metadata;
        var entry = new TestEntry(kind, "thing"u8.ToArray(), fitting, xattrs) { Target = kind == EntryKind.Symlink ? "x"u8.ToArray() : [] };
        return TarItem.Write(new TarItem("thing"u8.ToArray(), entry, []));
    }

    private static byte[] Acl(params (ushort Tag, ushort Permissions, uint Id)[] entries)
    {
        byte[] value = new byte[4 + 8 * entries.Length];
        value[0] = 2;
        for (int i = 0; i < entries.Length; i++)
        {
            Span<byte> entry = value.AsSpan(4 + 8 * i);
            BinaryPrimitives.WriteUInt16LittleEndian(entry, entries[i].Tag);
            BinaryPrimitives.WriteUInt16LittleEndian(entry[2..], entries[i].Permissions);
            BinaryPrimitives.WriteUInt32LittleEndian(entry[4..], entries[i].Id);
        }

        return value;
    }

    private static void SetXattr(string path, string name, byte[] value) =>
        Files.Ok(Sys.SetXattr(Sys.WorkingDirectory, ByteText.FromArgument(path), Encoding.ASCII.GetBytes(name), value));
}
