using System.Globalization;
using HackTree.Tests.Tidy;

namespace HackTree.Tests.Fuzz;

/// <summary>
/// Each decoder of bytes from elsewhere takes its seeds, refuses what broke it once, and breaks no promise for some thousand changed inputs. `make fuzz`
/// goes on from there, led by coverage.
/// </summary>
public sealed class FuzzTests(FuzzPlace place) : IClassFixture<FuzzPlace>
{
    /// <summary>What the changes are made of; $HACKTREE_FUZZ_SEED is another one.</summary>
    internal static int Seed { get; } = int.TryParse(Environment.GetEnvironmentVariable("HACKTREE_FUZZ_SEED"), CultureInfo.InvariantCulture, out int seed) ? seed : 20261129;

    public static TheoryData<string> Targets => [.. FuzzTargets.Names];

    [Theory]
    [MemberData(nameof(Targets))]
    public void Seeds_and_changed_seeds_are_taken_or_refused_as_documented(string name)
    {
        FuzzTarget target = Find(name, place);
        (string Name, byte[] Bytes)[] seeds = FuzzCorpus.Of(name);
        Assert.All(seeds.Where(seed => FuzzCorpus.IsGood(seed.Name)), seed => Assert.True(target.Decode(seed.Bytes), seed.Name));
        Assert.Contains(seeds, seed => FuzzCorpus.IsGood(seed.Name));

        var run = new FuzzRun(target, Seed, Path.Combine(Repository.Root, "out", "fuzz", "tests", name));
        run.Run(so => so.Executions < seeds.Length + target.Burst);
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {Seed}: {run.Executions} inputs, {run.Taken} taken");
        Assert.True(run.Findings.Count == 0, $"seed {Seed}: {string.Join('\n', run.Findings.Select(finding => finding.What))}");
    }

    [Fact]
    public void Every_target_has_seeds_and_all_seeds_have_a_target() => Assert.Equal(
        FuzzTargets.Names.Order(StringComparer.Ordinal),
        Directory.GetDirectories(FuzzCorpus.Folder).Select(Path.GetFileName).Order(StringComparer.Ordinal));

    internal static FuzzTarget Find(string name, FuzzPlace place) => FuzzTargets.All(place).Single(target => target.Name == name);
}
