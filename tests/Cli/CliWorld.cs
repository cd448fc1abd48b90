using HackTree.Linux;
using HackTree.Tests.Support;
using HackTree.Tests.Tidy;

namespace HackTree.Tests.Cli;

/// <summary>
/// A directory with a small tree and a store beside it. The store suits the user who runs the tests. Runs the built program there, as a shell
/// would.
/// </summary>
internal sealed class CliWorld : IDisposable
{
    private const string MakeTree = """
        mkdir -p tree/etc tree/usr/bin tree/usr/share/doc
        echo 'NAME="Test"' > tree/etc/os-release
        printf 'root:x:0:0\n' > tree/etc/passwd; chmod 600 tree/etc/passwd
        printf '#!/bin/sh\necho hi\n' > tree/usr/bin/hi; chmod 755 tree/usr/bin/hi
        ln -s hi tree/usr/bin/hello
        mkfifo tree/usr/share/pipe
        : > tree/usr/share/empty
        head -c 100000 /dev/zero | tr '\0' x > tree/usr/share/doc/large
        : > tree/usr/share/$'bad\377name'
        : > tree/usr/share/$'new\nline'
        find tree -exec touch -h -d '2024-05-06 07:08:09Z' {} +
        """;

    private readonly TempDirectory directory = new();

    public CliWorld(bool hasStore = true)
    {
        Assert.True(File.Exists(Repository.Program), $"{Repository.Program} is not there; run `make build`");
        Shell(MakeTree).Succeeded();
        if (hasStore)
        {
            Run([.. Init]).Succeeded();
        }
    }

    /// <summary>Makes a store that suits the user who runs the tests.</summary>
    public static IReadOnlyList<string> Init => Sys.IsRoot ? ["init"] : ["init", "--user"];

    /// <summary>Variables that every run gets: "NAME=VALUE".</summary>
    public List<string> Variables { get; } = [];

    public string Path => directory.Path;

    public string At(string name) => directory.At(name);

    /// <summary>Runs the program in the world's directory, in an environment without HackTree's variables.</summary>
    public ToolResult Run(params IEnumerable<string> arguments) => Tools.Run("env", [.. Environment, Repository.Program, .. arguments]);

    /// <summary>Runs the program with variables: "NAME=VALUE".</summary>
    public ToolResult RunWith(string variable, params IEnumerable<string> arguments) => Tools.Run("env", [.. Environment, variable, Repository.Program, .. arguments]);

    /// <summary>Runs a bash script in the world's directory. $H is the program. SIGINT ends it even if whoever runs the tests ignores that.</summary>
    public ToolResult Shell(string script) =>
        Tools.Run("env", ["--default-signal=INT", .. Environment, $"H={Repository.Program}", "bash", "-c", script]);

    /// <summary>Commits the tree and returns the commit.</summary>
    public string Commit(string refName = "debian/test", params string[] more)
    {
        string output = Run(["commit", "-b", refName, .. more, "tree"]).Succeeded();
        Assert.Matches("^[0-9a-f]{64}\n$", output);
        return output.TrimEnd();
    }

    /// <summary>All files with inode numbers, which a failed command must not have changed.</summary>
    public string Listing() => Shell("find . -printf '%P %y %m %s %i %n\\n' | sort").Succeeded();

    /// <summary>Runs a command that must be refused: with that exit code, one sentence that has the words, and no change.</summary>
    public void Refuses(int code, string words, IEnumerable<string> arguments)
    {
        string before = Listing();
        ToolResult result = Run(arguments);
        Assert.Contains(words, result.Error);
        Assert.True(IsOneSentence(result), result.Error);
        Assert.Equal((code, ""), (result.ExitCode, result.Output));
        Assert.Equal(before, Listing());
    }

    /// <summary>Whether the program wrote exactly one line to standard error.</summary>
    public static bool IsOneSentence(ToolResult result) =>
        result.Error.StartsWith("hacktree: ", StringComparison.Ordinal) && result.Error.IndexOf('\n', StringComparison.Ordinal) == result.Error.Length - 1;

    public void Dispose() => directory.Dispose();

    private string[] Environment => ["-C", Path, "-u", "HACKTREE_STORE", "-u", "SOURCE_DATE_EPOCH", "-u", "HACKTREE_DEBUG", "-u", "NO_COLOR", "TERM=xterm", .. Variables];
}
