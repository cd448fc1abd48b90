namespace HackTree.Cli;

/// <summary>The group of commands about disk images. It does nothing itself.</summary>
internal sealed class ImageCommand : Verb
{
    internal ImageCommand()
        : base(
            "image",
            "Make, convert, change and boot disk images.",
            "hacktree image create --tree ./rootfs -o debian.qcow2",
            "hacktree image run debian.qcow2")
    {
        Add(new ImageCreateCommand());
        Add(new ImageConvertCommand());
        Add(new ImageEditCommand());
        Add(new ImageRunCommand());
    }

    protected override int Run(Session session) =>
        throw new UsageException("say what to do with an image: create, convert, edit or run; see `hacktree image --help`");
}
