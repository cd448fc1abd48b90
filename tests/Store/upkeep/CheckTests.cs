using System.Text;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Tests.Store;

public sealed class CheckTests : IDisposable
{
    private readonly TestStore store = new();

    public CheckTests()
    {
        store.Commit("debian/bookworm", "usr/bin/ls=program", "usr/bin/cat=another program", "etc/hosts=127.0.0.1", "empty=");
        store.Commit("debian/bookworm", "usr/bin/ls=program", "usr/bin/cat=another program, newer", "etc/hosts=127.0.0.1");
        using ObjectStore opened = store.Open();
        Directory.CreateDirectory(store.At("r1"));
        opened.Record("r1", new RootRecord
        {
            Path = "r1",
            Commit = opened.Refs.Find("debian/bookworm"),
            Revision = "debian/bookworm",
            Time = 1,
            Method = CheckoutMethod.Hardlink,
            State = RootState.Ready,
        });
    }

    public void Dispose() => store.Dispose();

    [Fact]
    public void A_good_store_has_no_problems_and_everything_is_counted()
    {
        Assert.Empty(store.Check(out CheckResult result));
        Assert.Equal((5L, 2, 2L, 1, 1), (result.Objects, result.Packs, result.Commits, result.Refs, result.Roots));
        Assert.Equal(8, result.Trees);
        Assert.Equal("program".Length + "another program".Length + "127.0.0.1".Length + "another program, newer".Length, result.Bytes);
        Assert.Empty(result.Notes);
    }

    [Theory]
    [InlineData("files")]
    [InlineData("packs")]
    [InlineData("refs")]
    [InlineData("roots")]
    public void A_flipped_bit_anywhere_is_found_and_its_file_named(string room)
    {
        foreach (string file in store.Files(room))
        {
            long length = new FileInfo($"{store.Path}/{file}").Length;
            for (long at = 0; at < length; at += 1 + (length / 40))
            {
                // Every bit of a pack and of a record: PackDamageTests, RootsTests. Here, that the file is named.
                void Flip(byte[] bytes) => bytes[at] ^= (byte)(1 << (int)(at % 8));
                store.Change(file, Flip);
                List<Problem> problems = store.Check();
                Assert.Contains(problems, problem => problem.Path == file);
                store.Change(file, Flip);
            }
        }

        Assert.Empty(store.Check());
    }

    [Fact]
    public void A_bad_object_is_told_with_who_needs_it()
    {
        string file = FileOf("usr/bin/ls");
        store.Change(file, bytes => bytes[0] ^= 1);

        Problem problem = Assert.Single(store.Check());

        Assert.Equal(new Problem(file, "its content is not what its name says", "debian/bookworm as usr/bin/ls"), problem);
    }

    [Fact]
    public void A_bad_object_of_the_history_is_told_with_its_commit()
    {
        string file = store.Files("files").Single(path => File.ReadAllText($"{store.Path}/{path}") == "another program");
        store.Change(file, bytes => bytes[0] ^= 1);

        Assert.Matches("^debian/bookworm \\(commit [0-9a-f]{16} of its history\\) as usr/bin/cat$", Assert.Single(store.Check()).NeededBy);
    }

    [Fact]
    public void A_bad_object_that_nobody_needs_is_told_too()
    {
        store.Commit("gone", "x=garbage");
        store.DeleteRef("gone");
        string file = store.Files("files").Single(path => File.ReadAllText($"{store.Path}/{path}") == "garbage");
        store.Change(file, bytes => bytes[0] ^= 1);

        Problem problem = Assert.Single(store.Check());

        Assert.Equal((file, null), (problem.Path, problem.NeededBy));
    }

    [Fact]
    public void A_missing_object_is_told_once_with_who_needs_it()
    {
        string file = FileOf("etc/hosts");
        File.Delete($"{store.Path}/{file}");

        Assert.Equal(new Problem(file, "the object is missing", "debian/bookworm as etc/hosts"), Assert.Single(store.Check()));
    }

    [Fact]
    public void Changed_metadata_is_found()
    {
        string file = FileOf("etc/hosts");
        byte[] path = Encoding.UTF8.GetBytes($"{store.Path}/{file}");
        Assert.Equal(Errno.None, Sys.SetMode(Sys.WorkingDirectory, path, 0x1B6));
        Assert.Equal(Errno.None, Sys.SetTime(Sys.WorkingDirectory, path, 5));
        if (Sys.IsRoot)
        {
            Assert.Equal(Errno.None, Sys.SetOwner(Sys.WorkingDirectory, path, 7, 8));
        }

        string what = Assert.Single(store.Check()).What;

        Assert.Contains("its mode is 0666", what);
        Assert.Contains("its modification time is 5.000000000", what);
        Assert.Equal(Sys.IsRoot, what.Contains("its owner is 7:8"));
    }

    [Fact]
    public void Added_and_changed_attributes_are_found()
    {
        Assert.SkipUnless(TrySetXattr(FileOf("etc/hosts"), "1"), "this filesystem has no user attributes");
        Assert.Contains("extended attributes", Assert.Single(store.Check()).What);
    }

    [Fact]
    public void Objects_with_attributes_are_good_until_these_change()
    {
        Assert.SkipUnless(TrySetXattr("tmp", "probe"), "this filesystem has no user attributes");
        byte[] xattrs = XattrSet.Encode([("user.note"u8.ToArray(), "1"u8.ToArray())]);
        using (ObjectStore opened = store.Open())
        {
            opened.Blobs.AddBytes("with"u8, TestStore.Metadata, xattrs);
        }

        string file = store.Files("files").Single(path => path.Contains(".x"));
        Assert.Empty(store.Check());
        Assert.True(TrySetXattr(file, "2"));
        Assert.Equal(file, Assert.Single(store.Check()).Path);
    }

    [Fact]
    public void What_is_no_regular_file_is_found_and_not_opened()
    {
        string fifo = FileOf("etc/hosts");
        File.Delete($"{store.Path}/{fifo}");
        Assert.Equal(Errno.None, Sys.MakeNode(Sys.WorkingDirectory, Encoding.UTF8.GetBytes($"{store.Path}/{fifo}"), FileType.Fifo, 0x1A4, 0, 0));
        string link = FileOf("usr/bin/ls");
        File.Move($"{store.Path}/{link}", store.At("moved"));
        File.CreateSymbolicLink($"{store.Path}/{link}", store.At("moved"));

        List<Problem> problems = store.Check();

        Assert.Equal(new[] { fifo, link }.Order(), problems.Select(problem => problem.Path).Order());
        Assert.All(problems, problem => Assert.Equal("not a regular file", problem.What));
        Assert.All(problems, problem => Assert.NotNull(problem.NeededBy));
    }

    [Fact]
    public void Files_where_none_belong_are_found()
    {
        string[] strangers = ["stranger", "files/zz", "files/000", "files/00/stranger", "packs/stranger.pack", "refs/-x", "refs/a.log", "roots/r1"];
        foreach (string stranger in strangers)
        {
            File.WriteAllText($"{store.Path}/{stranger}", "?");
        }

        // Litter is gc's.
        File.WriteAllText($"{store.Path}/tmp/litter", "?");

        Assert.Equal(strangers.Order(), store.Check().Select(problem => problem.Path).Order());
    }

    [Fact]
    public void Objects_a_ref_cannot_reach_any_more_are_all_told()
    {
        // The pack of the newest commit: the ref and the root name what is gone, the older commit hangs in the air.
        using (ObjectStore opened = store.Open())
        {
            Digest commit = opened.Refs.Find("debian/bookworm");
            opened.Packs.Remove(opened.Packs.Files.Single(pack => pack.TryFind(commit, out _)).Name);
        }

        Assert.Equal(["refs/debian/bookworm", "roots/r1.json"], store.Check().Select(problem => problem.Path).Order());
    }

    [Fact]
    public void A_missing_tree_is_told_with_its_place()
    {
        using (ObjectStore opened = store.Open())
        {
            Commit commit = opened.Packs.ReadCommit(opened.Refs.Find("debian/bookworm"));
            Digest lost = opened.Packs.ReadTree(commit.Tree).Find("usr"u8).Digest;
            using PackWriter writer = opened.Packs.NewPack();
            foreach (PackFile pack in opened.Packs.Files.ToList())
            {
                foreach (IndexRow row in pack.RowsInBlockOrder().Where(row => row.Digest != lost))
                {
                    writer.Add(row.Kind, row.Digest, opened.Packs.Read(pack, row).Span);
                }

                opened.Packs.Remove(pack.Name);
            }

            opened.Publish(writer);
        }

        Problem problem = Assert.Single(store.Check());
        Assert.Matches("^tree [0-9a-f]{64} is missing$", problem.What.Replace("packs: ", "", StringComparison.Ordinal));
        Assert.Equal("debian/bookworm as usr", problem.NeededBy);
    }

    [Fact]
    public void Sizes_that_lie_are_found()
    {
        using (ObjectStore opened = store.Open())
        {
            Digest blob = opened.Blobs.AddBytes("four"u8, TestStore.Metadata, []);
            var builder = new TreeBuilder();
            builder.Add(new TreeEntry { Kind = EntryKind.Regular, Name = "f"u8, Metadata = TestStore.Metadata, Size = 5, Digest = blob });
            Tree tree = builder.Build();
            using PackWriter pack = opened.Packs.NewPack();
            pack.Add(PackedKind.Tree, Tree.DigestOf(tree.Bytes), tree.Bytes);
            var commit = new Commit { Tree = Tree.DigestOf(tree.Bytes), RootMetadata = TestStore.Metadata, Time = 0, Files = 1, ContentBytes = 5 };
            pack.Add(PackedKind.Commit, Commit.DigestOf(commit.Encode()), commit.Encode());
            opened.Publish(pack);
            opened.Refs.Set("liar", Commit.DigestOf(commit.Encode()), "");
        }

        Problem problem = Assert.Single(store.Check());
        Assert.Equal(("it has 4 bytes where a tree says 5", "liar as f"), (problem.What, problem.NeededBy));
    }

    private string FileOf(string path)
    {
        using ObjectStore opened = store.Open();
        Commit commit = opened.Packs.ReadCommit(opened.Refs.Find("debian/bookworm"));
        Assert.True(TreeWalk.TryFind(opened.Packs, commit, Encoding.UTF8.GetBytes(path), out TreeEntry entry));
        return $"files/{opened.Blobs.NameOf(entry)}";
    }

    private bool TrySetXattr(string file, string value)
    {
        Assert.Equal(Errno.None, Sys.Open(Sys.WorkingDirectory, Encoding.UTF8.GetBytes($"{store.Path}/{file}"), OpenFlags.ReadOnly, out SafeFileHandle opened));
        using (opened)
        {
            // The owner may set an attribute only where he may write.
            Assert.Equal(Errno.None, Sys.Stat(opened, out FileStatus status));
            Assert.Equal(Errno.None, Sys.SetMode(opened, status.Mode | 0x80u));
            Errno errno = Sys.SetXattr(opened, "user.note"u8, Encoding.UTF8.GetBytes(value));
            Assert.Equal(Errno.None, Sys.SetMode(opened, status.Mode));
            return errno == Errno.None;
        }
    }
}
