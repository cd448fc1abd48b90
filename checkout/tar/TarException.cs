using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Checkout;

/// <summary>A tar archive cannot be imported. The message is one sentence for the user, with the entry's name and place.</summary>
public sealed class TarException : IOException
{
    private const int MaxShown = 200;

    internal TarException(string message, Remedy? remedy = null)
        : base(message) => Remedy = remedy;

    /// <summary>What to do about it; null if that is not known.</summary>
    public Remedy? Remedy { get; }

    /// <summary>The system call that failed while an entry was added, with the entry in its subject; null if the archive is at fault.</summary>
    public LinuxException? Cause { get; init; }

    /// <summary>A name for a message, cut to a readable length: an archive may hold a name of many megabytes.</summary>
    internal static string Show(ReadOnlySpan<byte> name) =>
        name.Length <= MaxShown ? ByteText.Quote(name) : ByteText.Quote(name[..MaxShown]) + "...";
}
