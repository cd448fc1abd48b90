using System.Globalization;
using HackTree.Model;
using HackTree.Store;
using HackTree.Tests.Support;

namespace HackTree.Tests.Store;

/// <summary>Names that mean what a ref means, as programs make them, and as damage and older programs leave them.</summary>
public sealed class AliasTests : IDisposable
{
    private readonly TestStore store = new();
    private readonly ObjectStore opened;
    private readonly Digest one;

    public AliasTests()
    {
        opened = store.Open();
        one = TestStore.Commit(opened, "debian/a", "f=1");
    }

    public void Dispose()
    {
        opened.Dispose();
        store.Dispose();
    }

    [Fact]
    public void An_alias_follows_its_ref_and_is_no_ref_itself()
    {
        SetAlias("stable", "debian/a");
        SetAlias("sites/x/now", "stable");
        Digest two = TestStore.Commit(opened, "debian/a", "f=2");
        Assert.All(["stable", "sites/x/now"], name => Assert.Equal(two, opened.Refs.Find(name)));
        Assert.Equal(one, Revision.Resolve(opened, "sites/x/now^"));
        Assert.Equal(("debian/a", two), opened.Refs.Follow("sites/x/now"));
        Assert.Equal(["debian/a"], opened.Refs.List());
        Assert.Equal(["sites/x/now", "stable"], opened.Refs.AliasNames());
        Assert.Equal(["debian/a", "sites/x/now", "stable"], opened.Refs.Names());
        Assert.Equal(["aliases/sites=x=now.json", "aliases/stable.json"], store.Files("aliases"));
        Assert.Empty(store.Check());

        TestStore.SetRef(opened, "debian/b", one);
        SetAlias("stable", "debian/b");
        Assert.Equal(one, opened.Refs.Find("sites/x/now"));
    }

    [Fact]
    public void What_an_alias_cannot_be_is_refused_and_changes_nothing()
    {
        SetAlias("stable", "debian/a");
        SetAlias("now", "stable");
        Refused("there is no ref 'nothing'", "new", "nothing");
        Refused("there is no ref 'debian/a^'", "new", "debian/a^");
        Refused("there is no ref 'self'", "self", "self");
        Refused("'stable' leads to 'stable'", "stable", "stable");
        Refused("'now' leads to 'stable'", "stable", "now");
        Refused("'debian/a' is a ref itself", "debian/a", "stable");
        Refused("there are refs below 'debian/'", "debian", "debian/a");
        Refused("'debian/a' is a ref itself, so", "debian/a/x", "debian/a");
        Refused("'stable' is a ref itself, so", "stable/x", "debian/a");
        Refused("cannot name a ref", "../x", "debian/a");
        Refused("cannot name a ref", "a=b", "debian/a");
        Refused("with git", "HEAD", "debian/a");
    }

    [Fact]
    public void A_ref_is_not_set_through_its_alias_nor_deleted_under_it()
    {
        SetAlias("stable", "debian/a");
        SetAlias("now", "stable");
        Assert.Contains("'stable' is an alias of 'debian/a'", Assert.Throws<StoreException>(() => TestStore.SetRef(opened, "stable", one)).Message);
        Assert.Contains("'stable' is an alias", Assert.Throws<StoreException>(() => opened.Refs.RequireFree("stable")).Message);
        Assert.Contains("so 'stable/x' cannot be below", Assert.Throws<StoreException>(() => opened.Refs.RequireFree("stable/x")).Message);
        Assert.Contains("has the alias 'stable'", Assert.Throws<StoreException>(() => TestStore.DeleteRef(opened, "debian/a")).Message);
        Assert.Contains("has the alias 'now'", Assert.Throws<StoreException>(() => TestStore.DeleteRef(opened, "stable")).Message);
        Assert.Equal(one, opened.Refs.Find("now"));

        TestStore.DeleteRef(opened, "now");
        TestStore.DeleteRef(opened, "stable");
        Assert.Equal(one, opened.Refs.Find("debian/a"));
        TestStore.DeleteRef(opened, "debian/a");
        Assert.Empty(store.Files("aliases"));
    }

    [Fact]
    public void Gc_keeps_the_commit_of_the_ref_and_removes_no_alias()
    {
        SetAlias("stable", "debian/a");
        opened.Dispose();
        store.Collect();
        using ObjectStore again = store.Open();
        Assert.Equal(one, again.Refs.Find("stable"));
        Assert.Empty(store.Check());
    }

    /// <summary>An older program knows no aliases. It deletes the ref, or makes one of the alias's name.</summary>
    [Fact]
    public void What_an_older_program_leaves_is_said_and_can_be_mended()
    {
        SetAlias("stable", "debian/a");
        File.Move($"{store.Path}/refs/debian/a", $"{store.Path}/refs/debian/b");
        Assert.Equal("stable", Assert.IsType<Finding.BrokenAlias>(Assert.Single(store.Check())).Alias);
        Assert.True(opened.Refs.Find("stable").IsNone);
        Assert.Equal(["debian/b"], opened.Refs.Names());
        Assert.Contains("there is no such ref", Assert.Throws<StoreException>(() => Revision.Resolve(opened, "stable")).Message);
        Assert.Throws<StoreException>(() => TestStore.SetRef(opened, "stable", one));
        SetAlias("stable", "debian/b");
        Assert.Empty(store.Check());

        Digest two = TestStore.Commit(opened, "other", "f=2");
        File.Move($"{store.Path}/refs/other", $"{store.Path}/refs/stable");
        Assert.Equal(two, opened.Refs.Find("stable"));
        Assert.Equal(["debian/b", "stable"], opened.Refs.Names());
        Assert.Contains("hides", Assert.IsType<Cause.Damage>(Assert.IsType<Finding.BrokenAlias>(Assert.Single(store.Check())).Cause).Fault);
        TestStore.SetRef(opened, "stable", one);
        TestStore.DeleteRef(opened, "stable");
        Assert.Equal(["debian/b"], opened.Refs.Names());
        Assert.Empty(store.Check());
    }

    [Fact]
    public void A_circle_ends_in_a_sentence_and_can_be_deleted()
    {
        SetAlias("a", "debian/a");
        SetAlias("b", "a");
        File.Copy($"{store.Path}/aliases/b.json", $"{store.Path}/aliases/a.json", overwrite: true);
        foreach (string name in (string[])["a", "b"])
        {
            Assert.Contains("in a circle", Assert.Throws<CorruptException>(() => opened.Refs.Find(name)).Message);
        }

        Assert.Equal(["debian/a"], opened.Refs.Names());
        Assert.Equal(["a", "b"], store.Check().Select(finding => Assert.IsType<Finding.BrokenAlias>(finding).Alias).Order());
        TestStore.DeleteRef(opened, "a");
        TestStore.DeleteRef(opened, "b");
        Assert.Empty(store.Check());
        Assert.Equal(one, opened.Refs.Find("debian/a"));
    }

    [Theory]
    [InlineData("rm {0}; ln -s ../refs/debian/a {0}")]
    [InlineData("rm {0}; mkfifo {0}")]
    [InlineData("echo {{}} > {0}")]
    [InlineData(": > {0}")]
    [InlineData("sed -i s/debian/debias/ {0}")]
    [InlineData("head -c 2000000 /dev/zero > {0}")]
    public void A_damaged_alias_hides_nothing_and_can_be_set_or_deleted(string damage)
    {
        SetAlias("stable", "debian/a");
        SetAlias("other", "debian/a");
        string script = string.Format(CultureInfo.InvariantCulture, damage, $"{store.Path}/aliases/stable.json");
        void Spoil() => Tools.Run("sh", "-c", script).Succeeded();

        Spoil();
        Assert.Equal(["debian/a", "other"], opened.Refs.Names());
        Assert.Equal("aliases/stable.json", Assert.IsType<Finding.BrokenAlias>(Assert.Single(store.Check())).Path);
        opened.Refs.RequireFree("new");
        SetAlias("stable", "debian/a");
        Assert.Empty(store.Check());
        Spoil();
        TestStore.DeleteRef(opened, "stable");
        Assert.Empty(store.Check());
    }

    [Fact]
    public void A_foreign_file_among_aliases_is_said()
    {
        SetAlias("stable", "debian/a");
        File.WriteAllText($"{store.Path}/aliases/a b.json", "");
        Assert.Equal(StoreFolder.Aliases, Assert.IsType<Finding.ForeignFile>(Assert.Single(store.Check())).Folder);
        Assert.Equal(one, opened.Refs.Find("stable"));
    }

    private void Refused(string words, string name, string target)
    {
        List<string> before = store.Files("aliases");
        Assert.Contains(words, Assert.Throws<StoreException>(() => SetAlias(name, target)).Message);
        Assert.Equal(before, store.Files("aliases"));
        Assert.Equal(one, opened.Refs.Find("now"));
    }

    private void SetAlias(string name, string target)
    {
        using var turn = RefTurn.Take(opened);
        turn.SetAlias(name, target);
    }
}
