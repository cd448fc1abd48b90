using System.CommandLine;

namespace HackTree.Cli;

/// <summary>The commands about initrds; on its own it does nothing.</summary>
internal sealed class InitrdCommand : Command
{
    internal InitrdCommand()
        : base("initrd", "Look into an initrd, and put into it what boots a root by name (subroot=).")
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

    internal static Argument<string> Input() => new("INITRD") { Description = "The initrd." };
}
