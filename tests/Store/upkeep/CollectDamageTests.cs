using HackTree.Model;
using HackTree.Store;

namespace HackTree.Tests.Store;

/// <summary>
/// Several packs hold the same, as after copying packs from another store, and one of them is damaged: reads go on, from the
/// others, and gc must not take those for superfluous.
/// </summary>
public sealed class CollectDamageTests : IDisposable
{
    private readonly TestStore store = new();

    public void Dispose() => store.Dispose();

    [Fact]
    public void Small_packs_stay_where_the_large_one_that_holds_the_same_is_damaged()
    {
        string large = Pack("one", "two");
        Pack("one");
        Pack("two");
        Damage(large);

        CollectResult result = store.Collect();

        Assert.Equal((0, 1), (result.PacksRewritten, result.PacksRemoved));
        AssertWholeAndTidy("one", "two");
    }

    [Fact]
    public void A_sound_pack_makes_those_that_hold_a_part_of_it_superfluous()
    {
        Pack("one", "two");
        Damage(Pack("one"));

        CollectResult result = store.Collect();

        Assert.Equal((0, 1), (result.PacksRewritten, result.PacksRemoved));
        AssertWholeAndTidy("one", "two");
    }

    [Fact]
    public void A_pack_that_is_written_anew_as_it_was_takes_the_damaged_ones_place()
    {
        string damaged = Pack("one");
        Pack("one", dead: "dead");
        Damage(damaged);

        store.Collect();

        Assert.Equal([damaged], store.Files("packs"));
        AssertWholeAndTidy("one");
    }

    [Fact]
    public void Each_pack_may_have_another_part_whole()
    {
        // One copy of each of the three is right, each in another pack, and the packs hold each other's parts.
        string first = Pack("one", "two"), second = Pack("two", "three"), third = Pack("one", "three");
        Pack("one");
        Pack("two");
        Pack("three");
        Damage(first);
        Damage(second);
        Damage(third);

        store.Collect();

        AssertWholeAndTidy("one", "two", "three");
    }

    [Fact]
    public void A_dry_run_tells_the_same()
    {
        string large = Pack("one", "two");
        Pack("one");
        Pack("two");
        Damage(large);

        CollectResult would = store.Collect(new CollectOptions { DryRun = true });
        CollectResult did = store.Collect();

        Assert.Equal((would.PacksRewritten, would.PacksRemoved, would.ObjectsRemoved), (did.PacksRewritten, did.PacksRemoved, did.ObjectsRemoved));
    }

    /// <summary>A pack of commits, one file each, that refs of their names name; and of one that no ref names.</summary>
    private string Pack(string name, string? another = null, string? dead = null)
    {
        using ObjectStore opened = store.Open();
        using var additions = new Additions(opened);
        foreach (string each in new[] { name, another }.OfType<string>())
        {
            Digest commit = TestStore.Add(additions, [], $"{each}/file={each}");
            TestStore.SetRef(opened, each, commit);
        }

        if (dead is not null)
        {
            TestStore.Add(additions, [], $"{dead}/file={dead}");
        }

        return $"packs/{additions.Publish()}.pack";
    }

    private void Damage(string pack) => store.Change(pack, bytes => bytes[PackLayout.HeaderSize + 5] ^= 1);

    private void AssertWholeAndTidy(params string[] names)
    {
        using (ObjectStore opened = store.Open())
        {
            foreach (string name in names)
            {
                Assert.Equal(new Dictionary<string, string> { [$"{name}/file"] = name }, TestStore.Read(opened, opened.Refs.Find(name)));
            }
        }

        Assert.Empty(store.Check());
        CollectResult again = store.Collect();
        Assert.Equal((0, 0), (again.PacksRewritten, again.PacksRemoved));
    }
}
