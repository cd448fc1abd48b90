using HackTree.Model;

namespace HackTree.Checkout;

/// <summary>A tar archive that cannot be taken as it is. The message is one sentence for the user, with the entry's name and its place.</summary>
internal sealed class TarException(string message) : IOException(message)
{
    private const int MaxShown = 200;

    /// <summary>A name for a message: an archive may hold one of many megabytes.</summary>
    internal static string Show(ReadOnlySpan<byte> name) =>
        name.Length <= MaxShown ? ByteText.Quote(name) : ByteText.Quote(name[..MaxShown]) + "...";
}
