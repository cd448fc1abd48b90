using HackTree.Store;

namespace HackTree.Boot;

/// <summary>
/// The kernel's options of one root, in its /etc/hacktree/kernel-options: an environment block of GRUB with one variable. Without the file, the
/// root has the menu's options. As a file of /etc it is taken over into the next root. The menu alone says where the physical root is
/// (<see cref="Fixed"/>), because a root may go to another disk.
/// </summary>
public sealed class KernelOptions
{
    /// <summary>The path of the file in a root.</summary>
    internal const string File = "etc/hacktree/kernel-options";

    private static readonly string[] FixedNames = ["root", "ro", "rw", "rootflags", "rootfstype"];

    private static readonly string[] RefusedNames = [.. FixedNames, "subroot", "subroot.trial", "subroot.fallback"];

    private readonly string path;

    /// <summary>Reads the options of the root at a path.</summary>
    /// <param name="root">The path of the root.</param>
    /// <param name="usual">The options that the menu gives a root without own ones.</param>
    public KernelOptions(string root, string usual)
    {
        path = Path.Combine(root, File);
        IsOwn = System.IO.File.Exists(path);
        Words = [.. IsOwn ? Split(GrubEnvironment.Read(path).Get(GrubMenu.OptionsName) ?? "") : Changeable(usual)];
    }

    /// <summary>Whether the root has options of its own.</summary>
    public bool IsOwn { get; }

    /// <summary>The options, without those that the menu alone gives.</summary>
    public List<string> Words { get; }

    /// <summary>All options of the root's kernel but subroot= and those of a trial.</summary>
    /// <param name="usual">The options that the menu gives a root without own ones.</param>
    internal string All(string usual) => IsOwn ? $"{Fixed(usual)} {string.Join(' ', Words)}" : usual;

    /// <summary>Adds an option at the end. Throws <see cref="StoreException"/> if a root cannot have it.</summary>
    public void Append(string word)
    {
        Require(word);
        Words.Add(word);
    }

    /// <summary>Removes an option, given whole or by its name. Throws <see cref="StoreException"/> if there is none.</summary>
    public void Delete(string word)
    {
        if (Words.RemoveAll(present => present == word || NameOf(present) == word) == 0)
        {
            throw new StoreException($"there is no option {word}; the options are: {string.Join(' ', Words)}");
        }
    }

    /// <summary>Puts an option in the place of all with its name, or at the end if there is none.</summary>
    public void Replace(string word)
    {
        Require(word);
        int at = Words.FindIndex(present => NameOf(present) == NameOf(word));
        _ = Words.RemoveAll(present => NameOf(present) == NameOf(word));
        Words.Insert(at < 0 ? Words.Count : at, word);
    }

    /// <summary>Writes the root's own options, durably.</summary>
    public void Write()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        var environment = GrubEnvironment.Empty(path);
        environment.Set(GrubMenu.OptionsName, string.Join(' ', Words));
        environment.Write();
    }

    /// <summary>The options that the menu alone gives, out of all of them.</summary>
    internal static string Fixed(string options) => string.Join(' ', Split(options).Where(word => FixedNames.Contains(NameOf(word))));

    private static IEnumerable<string> Changeable(string options) => Split(options).Where(word => !FixedNames.Contains(NameOf(word)));

    private static string[] Split(string options) => options.Split(' ', StringSplitOptions.RemoveEmptyEntries);

    private static string NameOf(string word) => word.Split('=', 2)[0];

    private static void Require(string word)
    {
        if (word.Length == 0 || word.Any(c => c is <= ' ' or > '~' or '"' or '\'' or '\\'))
        {
            throw new StoreException($"'{word}' cannot be an option of a kernel here; give one word such as quiet or console=ttyS0, without quotes");
        }

        if (RefusedNames.Contains(NameOf(word)))
        {
            throw new StoreException($"{NameOf(word)}= is the boot menu's own; the options of a root are all others");
        }
    }
}
