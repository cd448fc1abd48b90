using System.CommandLine;
using BenchmarkDotNet.Running;
using HackTree.Bench.Compare;
using HackTree.Bench.Report;
using HackTree.Bench.Scale;

string[] own = ["compare", "scale", "history", "report", "--help", "-h"];
if (args.Length == 0 || !own.Contains(args[0]))
{
    _ = BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args);
    return 0;
}

var root = new RootCommand(
    "Measures hacktree: whole commands beside other programs and the floor, by number of files, and in parts. "
    + "Any other command line goes to BenchmarkDotNet (--filter '*').")
{
    new CompareCommand(),
    new ScaleCommand(),
    new HistoryCommand(),
    new ReportCommand(),
};
return root.Parse(args).Invoke();
