using System.CommandLine;
using HackTree.Boot;

namespace HackTree.Cli;

internal sealed class InitrdVerifyCommand : Verb
{
    private readonly Argument<string> input = InitrdCommand.Input();
    private readonly Option<bool> json;

    internal InitrdVerifyCommand()
        : base(
            "verify",
            "Check that an initrd is undamaged and has this program's files to boot a root by name.",
            "hacktree initrd verify /boot/initrd.img-6.1.0-56-amd64")
    {
        Add(input);
        json = AddJson();
        Details = "Exit code 3 if it finds a problem.";
    }

    protected override StopWay WayToStop(Session session) => StopWay.EndAtOnce;

    protected override int Run(Session session)
    {
        InitrdVerify verify = InitrdVerify.Run(session.Get(input));
        if (session.Get(json))
        {
            JsonText.Write(writer =>
            {
                writer.WriteStartObject();
                writer.WriteStrings("problems", verify.Problems);
                writer.WriteBoolean("patched", verify.IsPatched);
                writer.WriteNumber("segments", verify.Segments);
                writer.WriteNumber("entries", verify.Entries);
                writer.WriteEndObject();
            });
        }
        else
        {
            foreach (string problem in verify.Problems)
            {
                Session.Output.WriteLine(problem);
            }
        }

        if (verify.Problems.Count > 0)
        {
            return ExitCode.Found;
        }

        string how = verify.IsPatched ? "patched" : "made with HackTree's files in it";
        string entries = HumanText.Count(verify.Entries, "entry", "entries");
        session.Note($"all is well: {how}; {HumanText.Count(verify.Segments, "segment")}, {entries}");
        return ExitCode.Done;
    }
}
