using HackTree.Checkout;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Tests.Checkout;

/// <summary>The states of a root on its way: what a crash leaves of each, and that no step comes out of order.</summary>
public sealed class RootPlaceTests : IDisposable
{
    private readonly StorePlace place = new();
    private readonly Digest commit;

    public RootPlaceTests()
    {
        Directory.CreateDirectory(place.At("source/below"));
        File.WriteAllText(place.At("source/below/file"), "content");
        Directory.SetLastWriteTimeUtc(place.At("source"), new DateTime(2020, 1, 2, 0, 0, 0, DateTimeKind.Utc));
        commit = place.Commit("source");
    }

    public void Dispose() => place.Dispose();

    [Theory]
    [InlineData(0, 0, 0, 0)]
    [InlineData(1, 1, 1, 0)]
    [InlineData(2, 1, 1, 0)]
    [InlineData(3, 0, 0, 1)]
    [InlineData(4, 0, 0, 0)]
    public void What_a_crash_leaves_after_each_step_is_what_the_table_says(int steps, int litter, int dropped, int completed)
    {
        using (RootPlace reserved = Reserve())
        {
            if (steps >= 1)
            {
                RootPlace.Unfinished unfinished = Begin(reserved);
                if (steps >= 2)
                {
                    RootPlace.Whole whole = Finish(unfinished);
                    if (steps >= 3)
                    {
                        RootPlace.Named named = whole.PutInPlace();
                        if (steps >= 4)
                        {
                            named.Seal();
                        }
                    }
                }
            }
        }

        CollectResult result = Collect.Run(place.Store, new CollectOptions());

        Assert.Equal((litter, dropped, completed), (result.LitterRemoved, result.RootRecordsDropped, result.RootRecordsCompleted));
        Assert.Equal(steps >= 3, File.Exists(place.At("r1/below/file")));
        Assert.Equal(steps >= 3 ? ["r1"] : [], place.Store.Roots.Names());
        Assert.False(Directory.Exists(place.At(".r1.partial")));
        Assert.Equal(steps >= 4, place.Store.Roots.Find("r1")?.SealedAt is not null);
        place.RequireSound();
    }

    [Fact]
    public void No_step_comes_twice()
    {
        using RootPlace reserved = Reserve();
        RootPlace.Unfinished unfinished = Begin(reserved);
        Assert.Throws<InvalidOperationException>(() => Begin(reserved));
        RootPlace.Whole whole = Finish(unfinished);
        Assert.Throws<InvalidOperationException>(() => Finish(unfinished));
        RootPlace.Named named = whole.PutInPlace();
        Assert.Throws<InvalidOperationException>(whole.PutInPlace);
        named.Seal();
        Assert.Throws<InvalidOperationException>(named.Seal);
        place.RequireSound();
    }

    [Fact]
    public void What_was_replaced_is_not_removed_as_unfinished()
    {
        place.Checkout(commit, "r1");
        using RootPlace reserved = Reserve(force: true);
        RootPlace.Named named = Finish(Begin(reserved)).PutInPlace();
        Assert.Throws<InvalidOperationException>(() => reserved.RemoveUnfinished());
        Assert.Throws<InvalidOperationException>(() => reserved.OpenUnfinished(out _));
        Assert.True(File.Exists(place.At(".r1.partial/below/file")));
        named.Seal();
        Assert.False(Directory.Exists(place.At(".r1.partial")));
    }

    [Fact]
    public void Nothing_follows_the_removal_of_what_was_unfinished()
    {
        using RootPlace reserved = Reserve();
        RootPlace.Unfinished unfinished = Begin(reserved);
        reserved.RemoveUnfinished();
        Assert.Throws<InvalidOperationException>(() => Finish(unfinished));
        Assert.Throws<InvalidOperationException>(() => reserved.RemoveUnfinished());
        Assert.Empty(place.Store.Roots.Names());
        Assert.False(Directory.Exists(place.At(".r1.partial")));
    }

    [Fact]
    public void Another_directory_in_its_place_is_not_recorded_as_the_root()
    {
        using RootPlace reserved = Reserve();
        RootPlace.Named named = Finish(Begin(reserved)).PutInPlace();
        Directory.Move(place.At("r1"), place.At("moved"));
        Directory.CreateDirectory(place.At("r1"));
        Assert.Contains("another directory", Assert.Throws<StoreException>(named.Seal).Message, StringComparison.Ordinal);
        Assert.Null(place.Store.Roots.Find("r1"));
    }

    [Fact]
    public void Finishing_steps_come_one_after_the_other_before_the_tree_has_its_name()
    {
        var done = new List<string>();
        var finish = new RootFinish(
            (in WholeTree tree) =>
            {
                Assert.False(Directory.Exists(tree.Subject));
                Assert.True(File.Exists(place.At(".r1.partial/below/file")));
                Sys.MakeDirectory(tree.Top, "made"u8, FileModes.PublicDirectory).ThrowIfFailed("mkdirat", tree.Subject);
                done.Add("first");
            },
            (in WholeTree _) => done.Add("second"));
        using RootPlace reserved = Reserve();
        Finish(Begin(reserved), finish).PutInPlace().Seal();
        Assert.Equal(["first", "second"], done);
        Assert.True(Directory.Exists(place.At("r1/made")));
        Assert.Equal(2020, Directory.GetLastWriteTimeUtc(place.At("r1")).Year);
    }

    [Fact]
    public void A_finishing_step_that_fails_leaves_a_tree_that_can_be_removed()
    {
        using RootPlace reserved = Reserve();
        RootPlace.Unfinished unfinished = Begin(reserved);
        Assert.Throws<StoreException>(() => Finish(unfinished, new RootFinish((in WholeTree _) => throw new StoreException("no"))));
        reserved.RemoveUnfinished();
        Assert.False(Directory.Exists(place.At(".r1.partial")));
        Assert.False(Directory.Exists(place.At("r1")));
    }

    private RootPlace Reserve(bool force = false) =>
        RootPlace.Reserve(place.Store, place.At("r1"), new RootPlan(commit, "test", CheckoutMethod.Hardlink, IsWhole: true, force));

    private RootPlace.Unfinished Begin(RootPlace reserved)
    {
        var maker = new TreeMaker(place.Store, CheckoutMethod.Hardlink, reserved.Path, null, CancellationToken.None) { Commit = commit };
        RootPlace.Unfinished unfinished = reserved.Begin(maker, place.Store.Packs.ReadCommit(commit).RootEntry());
        maker.Run();
        return unfinished;
    }

    private RootPlace.Whole Finish(RootPlace.Unfinished unfinished, RootFinish? finish = null) =>
        unfinished.Finish(finish ?? RootFinish.None, place.Store.Packs.ReadCommit(commit).RootMetadata.ModifyTime);
}
