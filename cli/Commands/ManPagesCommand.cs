using System.CommandLine;
using System.Globalization;
using System.Text;
using HackTree.Store;

namespace HackTree.Cli;

/// <summary>The hidden command that writes the manual pages, for packages: one a command, and one a subcommand.</summary>
internal sealed class ManPagesCommand : Verb
{
    private readonly RootCommand root;
    private readonly (string Title, Command[] Commands)[] groups;
    private readonly Argument<string> directory = new("DIR") { Description = "Where to write the pages. It is made if it is missing." };

    internal ManPagesCommand(RootCommand root, (string Title, Command[] Commands)[] groups)
        : base("man-pages", "Write the manual pages of all commands.", "hacktree man-pages out/man")
    {
        (this.root, this.groups, Hidden) = (root, groups, true);
        Add(directory);
        Details = "The date of the pages is that of SOURCE_DATE_EPOCH, or today.";
    }

    protected override int Run(Session session)
    {
        string place = session.Get(directory)!;
        DateTime date = Date();
        OpenPath.MakeDirectories(place);
        Write(place, "hacktree", ManPage.OfProgram(root, groups, date));
        foreach (Verb verb in groups.SelectMany(group => group.Commands).Cast<Verb>())
        {
            WritePagesOf(verb, "hacktree " + verb.Name, place, date);
        }

        return ExitCode.Done;
    }

    private void WritePagesOf(Verb verb, string name, string place, DateTime date)
    {
        Write(place, ManPage.NameOf(name), ManPage.Of(verb, name, root.Options.Where(option => option.Recursive), date));
        foreach (Verb below in verb.Subcommands.Where(command => !command.Hidden).Cast<Verb>())
        {
            WritePagesOf(below, $"{name} {below.Name}", place, date);
        }
    }

    private static void Write(string place, string name, string page)
    {
        using OutputFile file = OutputFile.Create(Path.Combine(place, name + ".1"));
        file.Stream.Write(Encoding.ASCII.GetBytes(page));
        file.Complete();
    }

    private static DateTime Date() =>
        long.TryParse(Environment.GetEnvironmentVariable("SOURCE_DATE_EPOCH"), NumberStyles.None, CultureInfo.InvariantCulture, out long seconds)
        && seconds <= DateTimeOffset.MaxValue.ToUnixTimeSeconds()
            ? DateTimeOffset.FromUnixTimeSeconds(seconds).UtcDateTime
            : DateTime.UtcNow;
}
