using HackTree.Model;
using HackTree.Store;

namespace HackTree.Checkout;

/// <summary>A tar archive that cannot be taken as it is. The message is one sentence for the user, with the entry's name and its place.</summary>
public sealed class TarException : IOException
{
    private const int MaxShown = 200;

    internal TarException(string message, Remedy? remedy = null)
        : base(message) => Remedy = remedy;

    /// <summary>What to do; null where nothing can be said.</summary>
    public Remedy? Remedy { get; }

    /// <summary>A name for a message: an archive may hold one of many megabytes.</summary>
    internal static string Show(ReadOnlySpan<byte> name) =>
        name.Length <= MaxShown ? ByteText.Quote(name) : ByteText.Quote(name[..MaxShown]) + "...";
}
