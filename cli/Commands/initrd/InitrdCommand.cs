using System.CommandLine;

namespace HackTree.Cli;

internal sealed class InitrdCommand : Verb
{
    internal InitrdCommand()
        : base(
            "initrd",
            "Show what is in an initrd, or add what it needs to boot a root by name (subroot=).",
            "hacktree initrd ls /initrd.img",
            "hacktree initrd verify /initrd.img")
    {
        Add(new InitrdListCommand());
        Add(new InitrdCatCommand());
        Add(new InitrdExtractCommand());
        Add(new InitrdPatchCommand());
        Add(new InitrdUnpatchCommand());
        Add(new InitrdVerifyCommand());
        Add(new InitrdSegmentCommand());
        Add(new InitrdInstallCommand());
    }

    protected override int Run(Session session) =>
        throw new UsageException(
            "say what to do with an initrd: ls, cat, extract, patch, unpatch, verify, segment or install; see `hacktree initrd --help`");

    internal static Argument<string> Input() => new("INITRD") { Description = "The initrd." };
}
