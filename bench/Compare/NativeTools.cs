namespace HackTree.Bench.Compare;

/// <summary>The C programs of bench/native, compiled for this machine.</summary>
internal sealed record NativeTools(string Measure, string Floor, string MakeTree)
{
    /// <summary>The repository in which this program was built.</summary>
    internal static string Repository { get; } = FindRepository();

    internal static NativeTools Compile()
    {
        string sources = Path.Combine(Repository, "bench", "native"), place = Path.Combine(Repository, "out", "bench", "native");
        if (!Shell.Exists("cc"))
        {
            throw new BenchException(
                "there is no C compiler (cc) to compile the floor with; run `make setup-build`, or install gcc and libssl-dev");
        }

        Directory.CreateDirectory(place);
        var tools = new NativeTools(Path.Combine(place, "measure"), Path.Combine(place, "floor"), Path.Combine(place, "maketree"));
        Compile(Path.Combine(sources, "measure.c"), tools.Measure);
        Compile(Path.Combine(sources, "maketree.c"), tools.MakeTree);
        Compile(Path.Combine(sources, "floor.c"), tools.Floor, "-pthread", "-lcrypto");
        return tools;
    }

    private static void Compile(string source, string program, params string[] more)
    {
        DateTime changed = Directory.EnumerateFiles(Path.GetDirectoryName(source)!).Max(File.GetLastWriteTimeUtc);
        if (!File.Exists(program) || File.GetLastWriteTimeUtc(program) < changed)
        {
            _ = Shell.Run(["cc", "-O2", "-o", program, source, .. more]);
        }
    }

    private static string FindRepository()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "HackTree.sln")))
        {
            folder = folder.Parent ?? throw new DirectoryNotFoundException($"no HackTree.sln above {AppContext.BaseDirectory}");
        }

        return folder.FullName;
    }
}
