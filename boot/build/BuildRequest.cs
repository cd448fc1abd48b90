namespace HackTree.Boot;

/// <summary>What is run in a build, and in which surroundings.</summary>
/// <param name="Command">The command and its arguments.</param>
/// <param name="Script">A file of the host that is run with the command as its arguments; null to run the command itself.</param>
/// <param name="HasNetwork">Whether it may use the network.</param>
/// <param name="Binds">Directories and files of the host, and where the command sees them.</param>
/// <param name="Environment">Further variables.</param>
public sealed record BuildRequest(
    IReadOnlyList<string> Command,
    string? Script,
    bool HasNetwork,
    IReadOnlyList<(string Source, string Target)> Binds,
    IReadOnlyList<(string Name, string Value)> Environment);
