using System.Diagnostics;
using HackTree.Tests.Support;

namespace HackTree.Tests.Crash;

/// <summary>
/// Many commands at once on one store on a small filesystem: 8 committers on 4 refs, 4 that check out and remove roots, 2 that advance a root, gc, fsck
/// and a pull, each in a loop. Meanwhile commands are killed and stopped, and the filesystem runs full, at random.
/// </summary>
internal sealed class StressRun : IDisposable
{
    /// <summary>The reason why a root is not advanced whose checkout was killed after the root had its name. It can be replaced.</summary>
    public const string Interrupted = "its checkout was interrupted at the end";

    private const int Committers = 8;
    private const int Refs = 4;
    private const int Checkouts = 4;
    private const int Advances = 2;
    private const int MostRoots = 3;

    // How much of a ref's history gc keeps: else the disk would be full for good. After the last commit of a committer, fewer are made.
    private const string Depth = "100";

    private readonly LoopFilesystem disk = new("ext4", 80, "-m", "0");
    private readonly TempDirectory elsewhere = new(Directory.Exists("/dev/shm") ? "/dev/shm" : null);
    private readonly PhysicalRoot root;
    private readonly PhysicalRoot far;
    private readonly int seed;
    private readonly Disturbances disturbances = new(Bound);
    private readonly CancellationTokenSource end = new();

    public StressRun(int seed)
    {
        this.seed = seed;
        root = new PhysicalRoot(disk.Path);
        Directory.CreateDirectory(elsewhere.At("far"));
        far = new PhysicalRoot(elsewhere.At("far"));
        for (int i = 0; i < Committers; i++)
        {
            Directory.CreateDirectory(Source(i));
            Change(Source(i), new Random(seed + i), 40);
            root.Ok("commit", "-b", RefOf(i), Source(i));
        }

        Directory.CreateDirectory(Source(Committers));
    }

    /// <summary>How long any command may take, whatever goes on beside it.</summary>
    public static TimeSpan Bound { get; } = TimeSpan.FromMinutes(2);

    public PhysicalRoot Root => root;

    public StressCommand[] Commands => disturbances.Ended;

    public IReadOnlyList<string> Stuck => disturbances.Stuck;

    /// <summary>The last commit of each committer that its command said it made, with its ref.</summary>
    public Dictionary<int, (string Ref, string Commit)> Acknowledged { get; } = [];

    /// <summary>How long commits take here that nothing disturbs, one after the other.</summary>
    public TimeSpan[] Alone(int count)
    {
        var random = new Random(seed);
        return
        [
            .. Enumerable.Range(0, count).Select(_ =>
            {
                Change(Source(0), random, 3);
                long began = Stopwatch.GetTimestamp();
                root.Ok("commit", "-b", RefOf(0), Source(0));
                return Stopwatch.GetElapsedTime(began);
            }),
        ];
    }

    public void Run(TimeSpan time)
    {
        List<Action<Random>> loops = [Collect, Check, Pull, Disturb, Fill];
        loops.AddRange(Enumerable.Range(0, Committers).Select(i => (Action<Random>)(random => Commit(i, random))));
        loops.AddRange(Enumerable.Range(0, Checkouts).Select(i => (Action<Random>)(random => CheckOut(i, random))));
        loops.AddRange(Enumerable.Range(0, Advances).Select(i => (Action<Random>)(random => Advance(i, random))));
        Task[] tasks = [.. loops.Select((loop, i) => Start(() => Loop(loop, new Random(seed + i))))];
        end.CancelAfter(time);
        Task.WaitAll(tasks);
        File.Delete(disk.At("fill"));
    }

    public void Dispose()
    {
        end.Dispose();
        disk.Dispose();
        elsewhere.Dispose();
    }

    private static string RefOf(int committer) => $"c{committer % Refs}";

    private string Source(int committer) => elsewhere.At($"source{committer}");

    /// <summary>Writes some of the files anew, of up to 40 KB each.</summary>
    private static void Change(string source, Random random, int files)
    {
        for (int i = 0; i < files; i++)
        {
            byte[] content = new byte[random.Next(40_000)];
            random.NextBytes(content);
            File.WriteAllBytes(Path.Combine(source, $"f{(files < 40 ? random.Next(40) : i)}"), content);
        }
    }

    private static Task Start(Action work) => Task.Factory.StartNew(work, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    private void Loop(Action<Random> step, Random random)
    {
        while (!end.IsCancellationRequested)
        {
            step(random);
        }
    }

    private StressCommand Run(string kind, params IEnumerable<string> arguments) => disturbances.Run(new StressCommand(kind, root.Arguments(arguments)));

    private void Commit(int committer, Random random)
    {
        Change(Source(committer), random, random.Next(1, 4));
        StressCommand commit = Run("commit", "commit", "-b", RefOf(committer), "-s", $"{committer}", Source(committer));
        if (commit.ExitCode == 0)
        {
            lock (Acknowledged)
            {
                Acknowledged[committer] = (RefOf(committer), commit.Output.Trim());
            }
        }
    }

    private void CheckOut(int number, Random random)
    {
        string place = root.At($"r{number}-{random.Next(MostRoots)}"), name = $"c{random.Next(Refs)}";
        if (!Directory.Exists(place))
        {
            Run("checkout", ["checkout", .. random.Next(5) == 0 ? ["--copy"] : Array.Empty<string>(), name, place]);
        }
        else if (random.Next(2) == 0)
        {
            Run("checkout --force", "checkout", "--force", name, place);
        }
        else
        {
            Run("roots rm", "roots", "rm", Path.GetFileName(place));
        }
    }

    private void Advance(int number, Random random)
    {
        string place = root.At($"a{number}"), name = $"c{random.Next(Refs)}";
        StressCommand advance = Run("advance", Directory.Exists(place) ? ["checkout", "--from", place, name, place] : ["checkout", name, place]);
        if (advance.Error.Contains(Interrupted, StringComparison.Ordinal))
        {
            Run("checkout --force", "checkout", "--force", name, place);
        }
    }

    private void Collect(Random random)
    {
        Run("gc", "gc", "--depth", Depth);
        Wait(random.Next(100, 800));
    }

    private void Check(Random random)
    {
        Run("fsck", "fsck");
        Wait(random.Next(100));
    }

    private void Pull(Random random)
    {
        Change(Source(Committers), random, 3);
        far.Ok("commit", "-b", "main", Source(Committers));
        Run("pull", "pull", $"{far.Store}:main", "--as", "pulled");
        Wait(random.Next(200));
    }

    private void Disturb(Random random)
    {
        Wait(random.Next(20, 250));
        disturbances.EndOne(random);
    }

    /// <summary>Fills the disk for a moment, to the last block or nearly.</summary>
    private void Fill(Random random)
    {
        Wait(random.Next(1500, 6000));
        string count = $"{Math.Max(0, (disk.FreeBytes / 1024) - random.Next(500))}";
        string[] less = random.Next(2) == 0 ? [$"count={count}"] : [];
        _ = Tools.Run("dd", ["if=/dev/zero", $"of={disk.At("fill")}", "bs=1k", .. less]);
        Wait(random.Next(200, 1000));
        File.Delete(disk.At("fill"));
    }

    private void Wait(int milliseconds) => end.Token.WaitHandle.WaitOne(milliseconds);
}
