using HackTree.Tests.Tidy;

namespace HackTree.Tests.Fuzz;

/// <summary>
/// The seeds of a target, files below tests/Fuzz/corpus. <c>good-*</c> were made by the program or by the program whose format it is, and are taken.
/// <c>bad-*</c> are inputs that broke a decoder once, and are refused or taken, but break nothing.
/// </summary>
internal static class FuzzCorpus
{
    private const string Good = "good-";

    public static string Folder => Path.Combine(Repository.Root, "tests", "Fuzz", "corpus");

    public static (string Name, byte[] Bytes)[] Of(string target) =>
    [
        .. Directory.GetFiles(Path.Combine(Folder, target)).Order(StringComparer.Ordinal).Select(path => (Path.GetFileName(path), File.ReadAllBytes(path))),
    ];

    public static bool IsGood(string seed) => seed.StartsWith(Good, StringComparison.Ordinal);
}
