using System.Runtime.InteropServices;

namespace HackTree.Transfer;

/// <summary>What an image is for (OCI image specification, "platform").</summary>
/// <param name="Os">The operating system, in Go's words: linux.</param>
/// <param name="Architecture">The processor, in Go's words: amd64, arm64.</param>
/// <param name="Variant">Which kind of that processor; empty if it does not matter.</param>
public sealed record Platform(string Os, string Architecture, string Variant)
{
    /// <summary>This machine.</summary>
    public static Platform Here { get; } = new("linux", NameOf(RuntimeInformation.ProcessArchitecture), "");

    /// <summary>Reads OS/ARCHITECTURE or OS/ARCHITECTURE/VARIANT; null for another text.</summary>
    public static Platform? TryParse(string text)
    {
        string[] parts = text.Split('/');
        return parts.Length is 2 or 3 && parts.All(part => part.Length > 0 && part.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-'))
            ? new Platform(parts[0], parts[1], parts.Length == 3 ? parts[2] : "")
            : null;
    }

    /// <summary>Whether an image for <paramref name="offered"/> is what is wanted.</summary>
    public bool Takes(Platform offered) =>
        Os == offered.Os && Architecture == offered.Architecture && (Variant.Length == 0 || Variant == offered.Variant);

    /// <inheritdoc/>
    public override string ToString() => Variant.Length == 0 ? $"{Os}/{Architecture}" : $"{Os}/{Architecture}/{Variant}";

    private static string NameOf(Architecture architecture) => architecture switch
    {
        System.Runtime.InteropServices.Architecture.X64 => "amd64",
        System.Runtime.InteropServices.Architecture.X86 => "386",
        _ => architecture.ToString().ToLowerInvariant(),
    };
}
