namespace HackTree.Cli;

internal sealed class EtcCommand : Verb
{
    internal EtcCommand()
        : base("etc", "Show what was changed in a root's /etc.", "hacktree etc status", "hacktree etc status r1") =>
        Add(new EtcStatusCommand());

    protected override int Run(Session session) => throw new UsageException("say what to do with /etc: status; see `hacktree etc --help`");
}
