using System.CommandLine;
using System.Text;
using HackTree.Boot;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Cli;

internal sealed class BisectCommand : Verb
{
    private readonly Argument<string> good;
    private readonly Argument<string> bad;
    private readonly Option<string?> check = new("--check")
    {
        Description = "A program that must end with 0 in a good root: a file, or a command for sh. Default: only the root's own checks.",
        HelpName = "COMMAND",
    };

    private readonly Option<bool> reboot = new("--reboot") { Description = "Restart the machine by itself, now and after each step." };

    internal BisectCommand()
        : base(
            "bisect",
            "Find the commit that made the machine bad, by roots on trial.",
            "hacktree bisect --reboot debian/bookworm~8 debian/bookworm",
            "hacktree bisect --check 'systemctl is-active nginx' debian/bookworm~8 debian/bookworm",
            "hacktree bisect status")
    {
        good = AddRevision("GOOD", "A good commit: a ref, REF^, REF~3, or an id or its beginning.");
        bad = AddRevision("BAD", "A bad commit. Its first parents lead to GOOD.");
        Add(check);
        Add(reboot);
        Add(new BisectStatusCommand());
        Add(new BisectStepCommand());
        Add(new BisectAbortCommand());
        Details = "The commit in the middle gets a root on trial with one try. A commit is good if its system starts and the programs in "
            + "/etc/hacktree/health.d and the one of --check end with 0. It is bad if not, or if `hacktree deploy` would refuse it. Then the next commit is "
            + "tried. /etc is that of the default root. The default stays the same, and boots again at the end, without the roots that were made. `hacktree "
            + "bisect status` names the first bad commit and what it changed. A file given to --check is copied.";
    }

    protected override int Run(Session session)
    {
        using ObjectStore store = session.OpenStoreToWrite();
        Digest from = Revision.Resolve(store, session.Get(good)), to = Revision.Resolve(store, session.Get(bad));
        using var bisect = Bisect.Open(store);
        bisect.Begin(from, to, session.Get(check) is { } command ? ProgramOf(command) : null, session.Get(reboot));
        return Step(session, store, bisect);
    }

    /// <summary>Runs the checks in a root that is being tried, and goes on.</summary>
    internal static int Judge(Session session, ObjectStore store, string running)
    {
        string? fault = HealthChecks.FindFault();
        using var bisect = Bisect.Open(store);
        if (bisect.Judge(running, fault))
        {
            session.Note($"{running} is {(fault is null ? "good" : $"bad: {fault}")}");
        }

        return Step(session, store, bisect);
    }

    /// <summary>Goes on, says what is next, and restarts the machine if that is wanted.</summary>
    internal static int Step(Session session, ObjectStore store, Bisect bisect)
    {
        var progress = new Progress();
        bool mustRestart;
        using (session.Show("checking out", progress))
        {
            mustRestart = bisect.Step(progress);
        }

        foreach (string sentence in bisect.Left)
        {
            session.Note(sentence);
        }

        BisectText.Print(store, bisect.State!);
        if (!mustRestart)
        {
            return ExitCode.Done;
        }

        if (bisect.State!.Reboots && new BootableRoots(store).FindRunning() is not null)
        {
            DeployVerb.Reboot();
        }
        else
        {
            session.Note("restart the machine to go on");
        }

        return ExitCode.Done;
    }

    /// <summary>The program of --check: a file's content, or a script of the command.</summary>
    private static byte[] ProgramOf(string command)
    {
        if (!PathStatus.IsFile(command))
        {
            return Encoding.UTF8.GetBytes($"#!/bin/sh\n{command}\n");
        }

        using FileStream file = OpenPath.Content(command);
        var program = new MemoryStream();
        file.CopyTo(program);
        return program.ToArray();
    }

    protected override string Undone(Session session) => "the machine boots what it booted before; `hacktree bisect step` goes on";
}
