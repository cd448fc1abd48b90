namespace HackTree.Bench.Compare;

/// <summary>Something that keeps a measurement from being made, in one sentence.</summary>
internal sealed class BenchException(string message) : Exception(message);
