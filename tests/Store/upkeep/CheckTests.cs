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
                List<Finding> problems = store.Check();
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

        var damaged = Assert.IsType<Finding.DamagedObject>(Assert.Single(store.Check()));

        Assert.Equal((file, ObjectFaults.Content), (damaged.Path, damaged.Faults));
        Assert.NotEqual(damaged.Object.Blob, damaged.Actual.Content);
        AssertNeeded(damaged, Holder.OfRef("debian/bookworm"), "usr/bin/ls");
    }

    [Fact]
    public void A_bad_object_of_the_history_is_told_with_its_commit()
    {
        string file = store.Files("files").Single(path => File.ReadAllText($"{store.Path}/{path}") == "another program");
        store.Change(file, bytes => bytes[0] ^= 1);

        using ObjectStore opened = store.Open();
        Digest older = Assert.Single(opened.Packs.ReadCommit(opened.Refs.Find("debian/bookworm")).Parents);
        AssertNeeded(Assert.Single(store.Check()), Holder.OfRef("debian/bookworm"), "usr/bin/cat", older);
    }

    [Fact]
    public void A_bad_object_that_nobody_needs_is_told_too()
    {
        store.Commit("gone", "x=garbage");
        store.DeleteRef("gone");
        string file = store.Files("files").Single(path => File.ReadAllText($"{store.Path}/{path}") == "garbage");
        store.Change(file, bytes => bytes[0] ^= 1);

        Finding problem = Assert.Single(store.Check());

        Assert.Equal((file, null), (problem.Path, problem.NeededBy));
    }

    [Fact]
    public void A_missing_object_is_told_once_with_who_needs_it()
    {
        string file = FileOf("etc/hosts");
        File.Delete($"{store.Path}/{file}");

        var missing = Assert.IsType<Finding.MissingObject>(Assert.Single(store.Check()));
        Assert.Equal(file, missing.Path);
        AssertNeeded(missing, Holder.OfRef("debian/bookworm"), "etc/hosts");
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

        var damaged = Assert.IsType<Finding.DamagedObject>(Assert.Single(store.Check()));

        Assert.Equal(ObjectFaults.Mode | ObjectFaults.Time | (Sys.IsRoot ? ObjectFaults.Owner : ObjectFaults.None), damaged.Faults);
        Assert.Equal((0x1B6, new FileTime(5, 0)), (damaged.Actual.Mode, damaged.Actual.ModifyTime));
        Assert.Equal(Sys.IsRoot, (damaged.Actual.Uid, damaged.Actual.Gid) == (7, 8));
    }

    [Fact]
    public void Added_and_changed_attributes_are_found()
    {
        Assert.SkipUnless(TrySetXattr(FileOf("etc/hosts"), "1"), "this filesystem has no user attributes");
        Assert.Equal(ObjectFaults.Attributes, Assert.IsType<Finding.DamagedObject>(Assert.Single(store.Check())).Faults);
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

        List<Finding> problems = store.Check();

        Assert.Equal(new[] { fifo, link }.Order(), problems.Select(problem => problem.Path).Order());
        Assert.All(problems, problem => Assert.Equal(ObjectFaults.Type, Assert.IsType<Finding.DamagedObject>(problem).Faults));
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

        List<Finding> problems = store.Check();
        Assert.Equal(strangers.Order(), problems.Select(problem => problem.Path).Order());
        Assert.All(problems, problem => Assert.IsType<Finding.ForeignFile>(problem));
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

        Finding.LostTip[] lost = [.. store.Check().Cast<Finding.LostTip>().OrderBy(tip => tip.Path)];
        Assert.Equal([Holder.OfRef("debian/bookworm"), Holder.OfRoot("r1")], lost.Select(tip => tip.Holder));
        Assert.Equal(["refs/debian/bookworm", "roots/r1.json"], lost.Select(tip => tip.Path));
        Assert.All(lost, tip => Assert.Null(tip.Cause));
    }

    [Fact]
    public void A_missing_tree_is_told_with_its_place()
    {
        Digest lost;
        using (ObjectStore opened = store.Open())
        {
            Commit commit = opened.Packs.ReadCommit(opened.Refs.Find("debian/bookworm"));
            lost = opened.Packs.ReadTree(commit.Tree).Find("usr"u8).Digest;
            using var additions = new Additions(opened);
            foreach (PackFile pack in opened.Packs.Files.ToList())
            {
                foreach (IndexRow row in pack.RowsInBlockOrder().Where(row => row.Digest != lost))
                {
                    additions.Pack.Add(row.Kind, row.Digest, opened.Packs.Read(pack, row).Span);
                }

                opened.Packs.Remove(pack.Name);
            }

            additions.Publish();
        }

        var problem = Assert.IsType<Finding.LostTree>(Assert.Single(store.Check()));
        Assert.Equal((lost, null), (problem.Tree, problem.Cause));
        AssertNeeded(problem, Holder.OfRef("debian/bookworm"), "usr");
    }

    [Fact]
    public void A_pack_that_cannot_be_opened_does_not_hide_what_is_wrong_with_another()
    {
        string damaged = store.Files("packs")[0];
        store.Change(damaged, bytes => bytes[bytes.Length / 2] ^= 1);
        string link = $"packs/{new string('a', Digest.HexLength)}.pack";
        File.CreateSymbolicLink($"{store.Path}/{link}", "nowhere");

        Finding.DamagedPack[] packs = [.. store.Check(out CheckResult result).OfType<Finding.DamagedPack>().OrderBy(pack => pack.Path == link)];

        Assert.Equal([damaged, link], packs.Select(pack => pack.Path).Distinct());
        Assert.IsType<Cause.Damage>(packs[0].Cause);
        Assert.Equal("it is not a regular file", Assert.IsType<Cause.Damage>(packs[^1].Cause).Fault);
        Assert.Equal(3, result.Packs);
    }

    [Fact]
    public void A_damaged_ref_is_told_with_what_to_do()
    {
        store.Change("refs/debian/bookworm", bytes => bytes[3] = (byte)'?');

        var damaged = Assert.IsType<Finding.DamagedRef>(Assert.Single(store.Check()));

        Assert.Equal("debian/bookworm", damaged.Ref);
        Assert.Equal(new Cause.Damage("damaged", new Remedy.SetRef($"{store.Path}/logs/debian/bookworm.log")), damaged.Cause);
    }

    [Fact]
    public void A_root_that_is_gone_is_noted_and_no_problem()
    {
        Directory.Delete(store.At("r1"));

        Assert.Empty(store.Check(out CheckResult result));

        Assert.Equal(new Finding.MissingRoot("r1", store.At("r1"), IsPinned: false, IsInPlace: false, IsImage: false), Assert.Single(result.Notes));
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
            using var additions = new Additions(opened);
            additions.Pack.Add(PackedKind.Tree, Tree.DigestOf(tree.Bytes), tree.Bytes);
            var commit = new Commit { Tree = Tree.DigestOf(tree.Bytes), RootMetadata = TestStore.Metadata, Time = 0, Files = 1, ContentBytes = 5 };
            additions.Pack.Add(PackedKind.Commit, Commit.DigestOf(commit.Encode()), commit.Encode());
            additions.Publish();
            TestStore.SetRef(opened, "liar", Commit.DigestOf(commit.Encode()));
        }

        var damaged = Assert.IsType<Finding.DamagedObject>(Assert.Single(store.Check()));
        Assert.Equal((ObjectFaults.Size, 4, 5), (damaged.Faults, damaged.Actual.Size, damaged.ExpectedSize));
        AssertNeeded(damaged, Holder.OfRef("liar"), "f");
    }

    private static void AssertNeeded(Finding finding, Holder holder, string path, Digest olderCommit = default)
    {
        Need need = Assert.IsType<Need>(finding.NeededBy);
        Assert.Equal((holder, olderCommit, path), (need.Holder, need.OlderCommit, Encoding.UTF8.GetString(need.PathInTree.Span)));
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
