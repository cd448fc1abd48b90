using HackTree.Checkout;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using HackTree.Tests.Support;

namespace HackTree.Tests.Checkout;

/// <summary>The round trip in any directory, as root and as an ordinary user, and with a umask that would change modes.</summary>
public sealed class PlainDirectoryTests
{
    [Theory]
    [InlineData(CheckoutMethod.Hardlink)]
    [InlineData(CheckoutMethod.Copy)]
    public void The_awkward_tree_comes_out_as_it_went_in(CheckoutMethod method)
    {
        using var place = new StorePlace();
        AwkwardTree.Make(place.At("source"));
        Digest commit = place.Commit("source", out ImportResult imported);
        CheckoutResult result = place.Checkout(commit, "r0", method);
        Assert.Null(result.Unrestored.Summary());
        Comparison.Same(place.At("source"), place.At("r0"), "--no-sockets", "--holes");
        place.RequireSame(imported, "r0");
        place.RequireSound();
    }

    [Fact]
    public void A_part_of_a_tree_is_checked_out()
    {
        using var place = new StorePlace();
        AwkwardTree.Make(place.At("source"), beyondTar: false);
        Digest commit = place.Commit("source");
        foreach (string part in new[] { "names", "access lists/directory", "contents/4097", "links/dangling", "special/fifo" })
        {
            foreach (CheckoutMethod method in new[] { CheckoutMethod.Hardlink, CheckoutMethod.Copy })
            {
                string name = $"{part.Replace('/', '-')} {method}";
                RootBuilder.Run(place.Store, commit, "test", place.At(name), new CheckoutOptions { Subpath = part, Method = method });
                Assert.Equal(LinesOf(place.At($"source/{part}")), LinesOf(place.At(name)));
            }
        }

        Assert.Empty(place.Store.Roots.Names());
    }

    [Fact]
    public void An_ordinary_user_keeps_what_he_can() => ChildRun.AsNobody(GetType(), "0077");

    [Fact]
    public void The_mask_of_root_takes_nothing_away()
    {
        Assert.SkipUnless(Sys.IsRoot, "only root can work with every mask");
        ChildRun.WithUmask(GetType(), "0777");
    }

    [Fact]
    public void An_ordinary_user_records_what_he_cannot_restore_and_is_told() => ChildRun.AsOrdinaryUser(() =>
    {
        using var place = new StorePlace();
        TarItem[] items =
        [
            Item("", EntryKind.Directory, 0x1ED, 0),
            Item("block device", EntryKind.BlockDevice, 0x1A4, 0),
            Item("capable", EntryKind.Regular, 0x1ED, 0, "security.capability"),
            Item("device", EntryKind.CharacterDevice, 0x1A4, 0),
            Item("fifo", EntryKind.Fifo, 0x180, 33),
            Item("secret", EntryKind.Regular, 0, 42),
            Item("set-uid", EntryKind.Regular, 0x9ED, 0),
        ];
        byte[] archive = TarItem.Write(items);
        Digest commit = place.Commit(new MemoryStream(archive));

        CheckoutResult result = place.Checkout(commit, "r0");
        Assert.Equal("not restored in user mode, but kept in the commit: 5 owners, 2 device nodes, 1 set-id bit, 1 privileged attribute", result.Unrestored.Summary());
        Assert.Equal("0755", ModeOf(place.At("r0/set-uid")));
        Assert.Equal("0400", ModeOf(place.At("r0/secret")));
        Assert.False(File.Exists(place.At("r0/device")));
        Assert.Equal(archive, File.ReadAllBytes(place.Export(commit, "again.tar")));
        place.RequireSound();
    });

    [Fact]
    public void An_unreadable_file_stops_a_commit_of_an_ordinary_user() => ChildRun.AsOrdinaryUser(() =>
    {
        using var place = new StorePlace();
        Directory.CreateDirectory(place.At("source"));
        File.WriteAllText(place.At("source/secret"), "");
        Assert.Equal(Errno.None, Sys.SetMode(Sys.WorkingDirectory, ByteText.FromArgument(place.At("source/secret")), 0));
        var error = Assert.Throws<LinuxException>(() => place.Commit("source"));
        Assert.Equal($"{place.At("source/secret")}: permission denied", error.Message);
        Assert.Empty(place.Store.Refs.List());
    });

    private static TarItem Item(string name, EntryKind kind, ushort mode, uint owner, string? attribute = null)
    {
        byte[] xattrs = attribute is null ? [] : XattrSet.Encode([(ByteText.FromArgument(attribute), Convert.FromHexString("0100000200200000000000000000000000000000"))]);
        byte[] content = kind == EntryKind.Regular ? ByteText.FromArgument(name) : [];
        bool isDevice = kind is EntryKind.CharacterDevice or EntryKind.BlockDevice;
        var entry = new Model.TestEntry(kind, [], new FileMetadata(mode, owner, owner, 1600000000), xattrs)
        {
            Size = content.Length,
            Major = isDevice ? 1u : 0,
            Minor = isDevice ? 3u : 0,
        };
        return new TarItem(ByteText.FromArgument(name), entry, content);
    }

    private static FileStatus Stat(string path)
    {
        Assert.Equal(Errno.None, Sys.Stat(Sys.WorkingDirectory, ByteText.FromArgument(path), out FileStatus status));
        return status;
    }

    private static string ModeOf(string path) => Convert.ToString(Stat(path).Mode, 8).PadLeft(4, '0');

    private static string[] LinesOf(string path)
    {
        FileStatus status = Stat(path);
        return status.Type == FileType.Directory
            ? Comparison.Lines(path)
            : [$"{status.Type} {status.Mode} {status.Uid}:{status.Gid} {status.ModifyTime.Seconds} {status.Size}"];
    }
}
