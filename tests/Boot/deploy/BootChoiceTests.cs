using HackTree.Boot;
using HackTree.Tests.Support;

namespace HackTree.Tests.Boot;

/// <summary>
/// The tests that the class of each boot loader must pass. They read and write the loader's own files in a directory. A class for each loader says how
/// to make them, and starts a machine as the loader does: by its files alone.
/// </summary>
public abstract class BootChoiceTests : IDisposable
{
    private readonly TempDirectory directory = new();

    protected BootChoiceTests()
    {
        foreach (string root in new[] { "r0", "r1", "r2", "r3" })
        {
            Directory.CreateDirectory(At($"{root}/usr"));
        }

        Directory.CreateDirectory(At("boot"));
        File.WriteAllText(At("boot/kernel"), "kernel");
        File.WriteAllText(At("boot/initrd"), "initrd");
        File.WriteAllText(At("boot/vmlinuz-6.1"), "kernel");
        File.WriteAllText(At("boot/initrd.img-6.1"), "initrd");
    }

    /// <summary>The choice, read anew.</summary>
    private protected BootChoice Choice => BootChoice.Read(directory.Path);

    public void Dispose()
    {
        CleanUp();
        directory.Dispose();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public void A_new_disk_boots_its_default_and_nothing_is_on_trial()
    {
        MakeLoader();
        Assert.Equal("default r0, previous , trial  0", Words);
        Assert.True(Choice.Offers("r0"));
        Assert.Equal(["subroot=r0", "subroot=r0"], Starts(2));
    }

    [Fact]
    public void A_root_on_trial_boots_as_often_as_it_may_and_then_the_default_does()
    {
        MakeLoader();
        for (int tries = 1; tries <= BootChoice.MostTries; tries++)
        {
            Try("r1", tries);
            for (int left = tries - 1; left >= 0; left--)
            {
                Assert.Equal($"default r0, previous , trial r1 {left + 1}", Words);
                Assert.Equal("subroot=r1 subroot.trial subroot.fallback=r0 panic=10", Start());
                Assert.Equal($"default r0, previous , trial r1 {left}", Words);
            }

            Assert.Equal(["subroot=r0", "subroot=r0"], Starts(2));
            Assert.Equal("default r0, previous , trial r1 0", Words);
        }
    }

    [Fact]
    public void A_start_without_the_loader_has_the_loaders_command_line_and_takes_a_try()
    {
        MakeLoader();
        Try("r1", 2);
        string line = Choice.TrialLine(At(""), "r1");
        Choice.Try("r1", 1);
        Assert.EndsWith($" {Start()}", line, StringComparison.Ordinal);
        Assert.StartsWith("root=UUID=1 ro ", line, StringComparison.Ordinal);

        // The last one.
        Try("r2", 1);
        Choice.Try("r2", 0);
        Assert.Equal("default r0, previous , trial r2 0", Words);
        Assert.Equal(["subroot=r0", "subroot=r0"], Starts(2));
        Choice.Choose("r2");
        Assert.Equal("default r2, previous r0, trial  0", Words);
    }

    [Fact]
    public void A_root_on_trial_that_is_good_becomes_the_default_with_the_command_line_of_one()
    {
        MakeLoader();
        Try("r1", 1);
        _ = Start();
        Choice.Choose("r1");
        Assert.Equal("default r1, previous r0, trial  0", Words);
        Assert.Equal(["subroot=r1", "subroot=r1"], Starts(2));

        // The next one falls back to it, and not to the first.
        Try("r2", 1);
        Assert.Equal("subroot=r2 subroot.trial subroot.fallback=r1 panic=10", Start());
        Assert.Equal(["subroot=r1", "subroot=r1"], Starts(2));
        Assert.Equal("default r1, previous r0, trial r2 0", Words);
    }

    [Fact]
    public void The_default_and_the_one_before_change_places_as_often_as_one_likes()
    {
        MakeLoader();
        Choose("r1");
        for (int i = 0; i < 12; i++)
        {
            (string now, string other) = i % 2 == 0 ? ("r1", "r0") : ("r0", "r1");
            Assert.Equal($"default {now}, previous {other}, trial  0", Words);
            Assert.Equal($"subroot={now}", Start());
            Choice.Choose(Choice.Previous!);
        }
    }

    [Fact]
    public void To_choose_a_root_ends_a_trial_and_choosing_the_default_again_keeps_the_one_before()
    {
        MakeLoader();
        Choose("r1");
        Try("r2", 3);
        _ = Start();
        Choice.Choose("r1");
        Assert.Equal("default r1, previous r0, trial  0", Words);
        Assert.Equal("subroot=r1", Start());

        // The same for a trial that failed.
        Try("r2", 1);
        _ = Start();
        Choice.Choose("r1");
        Assert.Equal("default r1, previous r0, trial  0", Words);
    }

    [Fact]
    public void A_second_trial_takes_the_place_of_the_first_whether_that_failed_or_was_not_over()
    {
        MakeLoader();
        Try("r1", 1);
        _ = Start();
        Try("r2", 3);
        _ = Start();
        Try("r3", 1);
        Assert.Equal("default r0, previous , trial r3 1", Words);
        Assert.Equal(["subroot=r3 subroot.trial subroot.fallback=r0 panic=10", "subroot=r0", "subroot=r0"], Starts(3));
    }

    [Fact]
    public void The_root_that_was_the_default_can_be_tried_again()
    {
        MakeLoader();
        Choose("r1");
        Try("r0", 1);
        Assert.Equal("subroot=r0 subroot.trial subroot.fallback=r1 panic=10", Start());
        Assert.Equal("subroot=r1", Start());
        Try("r0", 2);
        _ = Start();
        Choice.Choose("r0");
        Assert.Equal("default r0, previous r1, trial  0", Words);
        Assert.Equal(["subroot=r0", "subroot=r0"], Starts(2));
    }

    [Fact]
    public void To_place_a_root_changes_nothing_of_what_boots()
    {
        MakeLoader();
        Choose("r1");
        Place("r2");
        Assert.True(Choice.Offers("r2"));
        Assert.Equal("default r1, previous r0, trial  0", Words);
        Try("r3", 2);
        Place("r2");
        Assert.Equal("default r1, previous r0, trial r3 2", Words);
        Assert.Equal("subroot=r3 subroot.trial subroot.fallback=r1 panic=10", Start());
    }

    [Fact]
    public void A_root_that_is_forgotten_is_neither_gone_back_to_nor_on_trial()
    {
        MakeLoader();
        Choose("r1");
        Try("r2", 1);
        _ = Start();
        Choice.Forget("r2");
        Assert.Equal("default r1, previous r0, trial  0", Words);
        Choice.Forget("r0");
        Assert.Equal("default r1, previous , trial  0", Words);
        Assert.Equal("subroot=r1", Start());
    }

    /// <summary>Makes the loader's files as `hacktree image create` does, for a disk with the default r0.</summary>
    private protected abstract void MakeLoader();

    /// <summary>Starts the machine: returns the end of the kernel's command line from subroot= on, and counts a try down.</summary>
    private protected abstract string Start();

    private protected virtual void CleanUp()
    {
    }

    /// <summary>The path of a name in the physical root.</summary>
    private protected string At(string name) => directory.At(name);

    private protected void Place(string root) => Choice.Place(root, At("boot/kernel"), At("boot/initrd"));

    private protected void Try(string root, int tries)
    {
        Place(root);
        Choice.Try(root, tries);
    }

    private protected void Choose(string root)
    {
        Place(root);
        Choice.Choose(root);
    }

    private protected IEnumerable<string> Starts(int count) => [.. Enumerable.Range(0, count).Select(_ => Start())];

    private protected string Words
    {
        get
        {
            BootChoice choice = Choice;
            return $"default {choice.Default}, previous {choice.Previous}, trial {choice.Trial} {choice.TriesLeft}";
        }
    }
}
