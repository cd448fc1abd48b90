using System.CommandLine;
using HackTree.Boot;

namespace HackTree.Cli;

internal sealed class ImageConvertCommand : Verb
{
    private readonly Argument<string> image = new("IMAGE")
    {
        Description = "The image of an installed Debian: / on one ext4, GRUB, initramfs-tools.",
    };

    private readonly Option<string?> output = new("-o", "--output") { Description = "Convert a copy, and leave IMAGE unchanged.", HelpName = "FILE" };
    private readonly Option<string> root = new("--root")
    {
        Description = "The name of the root.",
        HelpName = "NAME",
        DefaultValueFactory = _ => "r0",
    };

    private readonly Option<bool> undo = new("--undo") { Description = "Undo a conversion, complete or interrupted." };

    internal ImageConvertCommand()
        : base(
            "convert",
            "Turn the installed Debian in an image into the root /r0 of its own disk.",
            "hacktree image convert stock.qcow2 -o roots.qcow2",
            "hacktree image convert --undo stock.qcow2")
    {
        Details = "Moves everything but /boot, /home and /var into /r0, and the package database from /var into it. Nothing is copied. The boot "
            + "menu gets an entry for /r0, which becomes the default. After an interruption, run it again: it goes on where it stopped. "
            + "Needs root.";
        Add(image);
        OutputFile.RefuseStandard(output);
        Add(output);
        Add(root);
        Add(undo);
        AddRule(result =>
        {
            if (result.GetValue(undo) && result.GetValue(output) is not null)
            {
                result.AddError("--undo works on IMAGE itself: leave out -o");
            }
        });
    }

    protected override int Run(Session session)
    {
        string path = session.Get(image);
        string name = session.Get(root)!;
        if (session.Get(undo))
        {
            session.Note(StockImage.Undo(path, Session.Stop) ? $"{path}: as it was before" : $"{path}: nothing was converted in it");
            return ExitCode.Done;
        }

        ConversionResult result = Convert(session, path, name);
        path = session.Get(output) ?? path;
        if (!result.IsChanged)
        {
            session.Note($"{path}: it is converted already; --undo takes that back");
            return ExitCode.Done;
        }

        foreach (FstabLine line in result.Apart)
        {
            session.Note(ImageText.Apart(line));
        }

        session.Note($"{path}: the system is /{name} now; boot it with `hacktree image run {path}`");
        return ExitCode.Done;
    }

    private ConversionResult Convert(Session session, string path, string name)
    {
        if (session.Get(output) is not { } copy)
        {
            return StockImage.Convert(path, name, Session.Stop);
        }

        DiskFormat format = DiskFormats.OfName(copy)
            ?? throw new UsageException($"{copy}: its name does not tell the format; end it in .qcow2 or .img");
        return StockImage.ConvertCopy(path, copy, format, name, Session.Stop);
    }

    protected override string Undone(Session session) =>
        session.Get(output) is { } copy ? $"{copy} was not made" : "the same command goes on from here, and --undo goes back";
}
