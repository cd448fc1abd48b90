using System.Text;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Tests.Store;

public sealed class RefsTests : IDisposable
{
    private static readonly Digest One = Digest.Of("1"u8);
    private static readonly Digest Two = Digest.Of("2"u8);

    private readonly TestStore store = new();
    private readonly ObjectStore opened;

    public RefsTests() => opened = store.Open();

    public void Dispose()
    {
        opened.Dispose();
        store.Dispose();
    }

    [Fact]
    public void Refs_are_set_found_listed_and_deleted_and_their_logs_stay()
    {
        TestStore.SetRef(opened, "debian/bookworm/amd64", One, "commit: one");
        TestStore.SetRef(opened, "debian/bookworm/amd64", Two, "commit: two\nlines");
        TestStore.SetRef(opened, "main", One);
        Assert.Equal(Two, opened.Refs.Find("debian/bookworm/amd64"));
        Assert.Equal(["debian/bookworm/amd64", "main"], opened.Refs.List());
        Assert.Equal($"{Two}\n", File.ReadAllText($"{store.Path}/refs/debian/bookworm/amd64"));

        TestStore.DeleteRef(opened, "debian/bookworm/amd64");

        Assert.True(opened.Refs.Find("debian/bookworm/amd64").IsNone);
        Assert.Equal(["main"], opened.Refs.List());
        Assert.False(Directory.Exists($"{store.Path}/refs/debian"));
        Assert.Collection(
            opened.Refs.Log("debian/bookworm/amd64"),
            line => Assert.Matches($"^- {One} [0-9]+ commit: one$", line),
            line => Assert.Matches($"^{One} {Two} [0-9]+ commit: two lines$", line),
            line => Assert.Matches($"^{Two} - [0-9]+ deleted$", line));
        Assert.Empty(opened.Refs.Log("never"));
    }

    [Fact]
    public void A_line_that_a_full_disk_cut_short_does_not_join_the_next()
    {
        TestStore.SetRef(opened, "main", One, "first");
        File.AppendAllText($"{store.Path}/logs/main.log", $"{One} {Two}");

        TestStore.SetRef(opened, "main", Two, "second");
        TestStore.SetRef(opened, "main", One, "third");

        Assert.Collection(
            opened.Refs.Log("main"),
            line => Assert.EndsWith(" first", line),
            line => Assert.Equal($"{One} {Two}", line),
            line => Assert.Matches($"^{One} {Two} [0-9]+ second$", line),
            line => Assert.Matches($"^{Two} {One} [0-9]+ third$", line));
    }

    [Fact]
    public void A_ref_cannot_be_above_or_below_another()
    {
        TestStore.SetRef(opened, "a/b", One);
        Assert.Contains("below 'a/'", Assert.Throws<StoreException>(() => TestStore.SetRef(opened, "a", Two)).Message);
        Assert.Contains("'b' in 'a/b/c'", Assert.Throws<StoreException>(() => TestStore.SetRef(opened, "a/b/c", Two)).Message);
        Assert.True(opened.Refs.Find("a").IsNone);
        Assert.True(opened.Refs.Find("a/b/c").IsNone);
        Assert.Equal(One, opened.Refs.Find("a/b"));

        // Once it is gone, its name and the directory's are free.
        TestStore.DeleteRef(opened, "a/b");
        TestStore.SetRef(opened, "a", Two);
        TestStore.DeleteRef(opened, "a");
        TestStore.SetRef(opened, "a/b/c", One);
        Assert.Equal(["a/b/c"], opened.Refs.List());
    }

    [Theory]
    [InlineData("")]
    [InlineData(".")]
    [InlineData("..")]
    [InlineData("../x")]
    [InlineData("a/../x")]
    [InlineData("/a")]
    [InlineData("a/")]
    [InlineData("a//b")]
    [InlineData("-a")]
    [InlineData("a/-b")]
    [InlineData("a b")]
    [InlineData("a\nb")]
    [InlineData("a^")]
    [InlineData("a~1")]
    [InlineData("a\0")]
    [InlineData("ü")]
    [InlineData("a.log")]
    [InlineData("a.log/b")]
    [InlineData(".hidden")]
    public void Names_that_could_be_something_else_are_refused(string name)
    {
        Assert.Contains("cannot name a ref", Assert.Throws<StoreException>(() => TestStore.SetRef(opened, name, One)).Message);
        Assert.True(opened.Refs.Find(name).IsNone);
        Assert.Throws<StoreException>(() => TestStore.DeleteRef(opened, name));
        Assert.Empty(opened.Refs.Log(name));
        Assert.Empty(store.Files("refs"));
    }

    [Fact]
    public void A_name_may_have_200_characters()
    {
        string longest = string.Join('/', Enumerable.Repeat("0123456789", 18)) + "+@";
        Assert.Equal(199, longest.Length);
        TestStore.SetRef(opened, longest + "x", One);
        Assert.Equal(One, opened.Refs.Find(longest + "x"));
        Assert.Throws<StoreException>(() => TestStore.SetRef(opened, longest + "xx", One));
    }

    [Theory]
    [InlineData("")]
    [InlineData("\n")]
    [InlineData("0000000000000000000000000000000000000000000000000000000000000000\n")]
    [InlineData("6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b")]
    [InlineData("6B86B273FF34FCE19D6B804EFF5A3F5747ADA4EAA22F1D49C01E52DDB7875B4B\n")]
    [InlineData("6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b\n\n")]
    public void A_damaged_ref_is_told_and_can_be_set_or_deleted(string content)
    {
        TestStore.SetRef(opened, "main", One);
        Write(content);
        Assert.Contains("refs/main: damaged", Assert.Throws<CorruptException>(() => opened.Refs.Find("main")).Message);

        TestStore.SetRef(opened, "main", Two, "mended");
        Assert.Equal(Two, opened.Refs.Find("main"));
        Write(content);
        TestStore.DeleteRef(opened, "main");
        Assert.Empty(opened.Refs.List());

        void Write(string text) => File.WriteAllText($"{store.Path}/refs/main", text);
    }

    [Fact]
    public void A_symbolic_link_is_not_followed()
    {
        File.WriteAllText(store.At("elsewhere"), $"{One}\n");
        File.CreateSymbolicLink($"{store.Path}/refs/link", store.At("elsewhere"));
        Assert.Throws<CorruptException>(() => opened.Refs.Find("link"));
        TestStore.SetRef(opened, "link", Two);
        Assert.Equal($"{One}\n", File.ReadAllText(store.At("elsewhere")));
        Assert.Equal(Two, opened.Refs.Find("link"));
    }

    [Fact]
    public void Writers_take_turns_so_that_none_is_lost()
    {
        const int writers = 4, turns = 10;
        TestStore.SetRef(opened, "count", Number(0));
        TestThreads.Run(writers, _ =>
        {
            using ObjectStore mine = store.Open();
            for (int i = 0; i < turns; i++)
            {
                using var turn = RefTurn.Take(mine);
                turn.Set("count", new DurableCommit(Number(ValueOf(turn.Find("count")) + 1)), "");
            }
        });

        Assert.Equal(writers * turns, ValueOf(opened.Refs.Find("count")));
        Assert.Equal((writers * turns) + 1, opened.Refs.Log("count").Count);
    }

    [Fact]
    public void Empty_directories_that_a_killed_command_left_are_no_refs_and_give_way()
    {
        Directory.CreateDirectory($"{store.Path}/refs/a/b/c");
        Directory.CreateDirectory($"{store.Path}/refs/a/d");
        Assert.Empty(opened.Refs.List());
        TestStore.SetRef(opened, "a", One);
        Assert.Equal(["a"], opened.Refs.List());

        Directory.CreateDirectory($"{store.Path}/refs/b/c/d");
        TestStore.SetRef(opened, "b/c/e", One);
        Assert.Throws<StoreException>(() => TestStore.SetRef(opened, "b", Two));
        TestStore.DeleteRef(opened, "b/c/e");
        TestStore.SetRef(opened, "b", Two);
        Assert.Equal(["a", "b"], opened.Refs.List());
    }

    [Fact]
    public void Directories_nested_deeper_than_any_stack_are_told_as_no_ref()
    {
        TestStore.SetRef(opened, "main", One);
        string top = string.Join('/', Enumerable.Repeat("deep", 50));
        Directory.CreateDirectory($"{store.Path}/refs/{top}");
        byte[] path = Encoding.ASCII.GetBytes($"{store.Path}/refs/{top}");
        Sys.Open(Sys.WorkingDirectory, path, OpenFlags.ReadOnly | OpenFlags.Directory, out SafeFileHandle below).ThrowIfFailed("openat", top);
        for (int depth = 0; depth < 20_000; depth++)
        {
            using SafeFileHandle above = below;
            Sys.MakeDirectory(above, "d"u8, 0x1C0).ThrowIfFailed("mkdirat", top);
            Sys.Open(above, "d"u8, OpenFlags.ReadOnly | OpenFlags.Directory, out below).ThrowIfFailed("openat", top);
        }

        below.Dispose();
        Assert.Throws<StoreException>(() => TestStore.SetRef(opened, "deep", Two));
        var strangers = new List<string>();
        Assert.Equal(["main"], opened.Refs.List(strangers));
        Assert.Equal([string.Join('/', Enumerable.Repeat("deep", 41))], strangers);
    }

    [Fact]
    public void Setting_and_deleting_below_one_directory_at_once_goes_well()
    {
        TestThreads.Run(4, number =>
        {
            using ObjectStore mine = store.Open();
            for (int i = 0; i < 10; i++)
            {
                TestStore.SetRef(mine, $"a/b/{number}", One);
                TestStore.DeleteRef(mine, $"a/b/{number}");
                Assert.All(mine.Refs.All(_ => { }), r => Assert.Equal(One, r.Commit));
            }
        });

        Assert.Empty(opened.Refs.List());
    }

    private static Digest Number(int value) => new([.. new byte[28], 1, 0, 0, (byte)value]);

    private static int ValueOf(Digest digest) => Convert.ToInt32(digest.ToString()[^2..], 16);
}
