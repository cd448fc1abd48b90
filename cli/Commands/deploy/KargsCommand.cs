using System.CommandLine;
using HackTree.Boot;
using HackTree.Store;

namespace HackTree.Cli;

internal sealed class KargsCommand : Verb
{
    private readonly Argument<string?> name = new("ROOT") { Description = "The root's name. Default: the one that boots.", Arity = ArgumentArity.ZeroOrOne };
    private readonly Option<string[]> append = Edit("--append", "Add an option at the end; may be repeated.");
    private readonly Option<string[]> delete = Edit("--delete", "Remove an option, given whole or by its name; may be repeated.");
    private readonly Option<string[]> replace = Edit("--replace", "Put an option in the place of all with its name; may be repeated.");

    internal KargsCommand()
        : base("kargs", "Show or change the kernel's options of one root.", "hacktree kargs", "hacktree kargs r1 --append quiet --delete console=tty0")
    {
        Add(Completions.WithRoots(name));
        Add(delete);
        Add(replace);
        Add(append);
        Details = "The options are in the root's /etc/hacktree/kernel-options, so the next deploy takes them over. Those of the boot menu itself, root= and "
            + "subroot=, are not among them. A change counts from the root's next start on.";
    }

    protected override int Run(Session session)
    {
        string[] added = session.Get(append) ?? [], deleted = session.Get(delete) ?? [], replaced = session.Get(replace) ?? [];
        bool isChange = added.Length + deleted.Length + replaced.Length > 0;
        using ObjectStore store = isChange ? session.OpenStoreToWrite() : session.OpenStore();
        var roots = new BootableRoots(store);
        var choice = BootChoice.Read(roots.Physical);
        string root = session.Get(name) ?? choice.Default;
        roots.Require(root);
        var options = new KernelOptions(roots.PathOf(root), choice.OptionsOf(root));
        if (isChange)
        {
            roots.RequireOwnEtc(root);
            Array.ForEach(deleted, options.Delete);
            Array.ForEach(replaced, options.Replace);
            Array.ForEach(added, options.Append);
            options.Write();
            choice.Renew(root);
        }

        Session.Output.WriteLine(string.Join(' ', options.Words));
        return ExitCode.Done;
    }

    private static Option<string[]> Edit(string name, string description) => new(name) { Description = description, HelpName = "OPTION" };
}
