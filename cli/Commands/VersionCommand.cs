using System.CommandLine;
using System.Reflection;
using HackTree.Store;

namespace HackTree.Cli;

internal sealed class VersionCommand : Verb
{
    private readonly Option<bool> json;

    internal VersionCommand()
        : base("version", "Print the version of the program and of its store format.", "hacktree version --json") => json = AddJson();

    /// <summary>What `git describe` said when the program was built: 0.1.0+g0755794, or 0.1.0 of a build without git.</summary>
    internal static string Number { get; } =
        typeof(VersionCommand).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion;

    internal static string Text => $"hacktree {Number} (store format {StoreFormat.CurrentVersion})";

    protected override int Run(Session session)
    {
        if (!session.Get(json))
        {
            Session.Output.WriteLine(Text);
            return ExitCode.Done;
        }

        JsonText.Write(writer =>
        {
            writer.WriteStartObject();
            writer.WriteString("version", Number);
            writer.WriteNumber("storeFormat", StoreFormat.CurrentVersion);
            writer.WriteEndObject();
        });
        return ExitCode.Done;
    }
}
