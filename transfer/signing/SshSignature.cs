using System.Security.Cryptography;

namespace HackTree.Transfer;

/// <summary>
/// An SSH signature as <c>ssh-keygen -Y sign</c> makes them (PROTOCOL.sshsig of OpenSSH). A value that exists is well-formed; whether it is right is what
/// <see cref="Fits"/> answers, and whether its key is trusted what <see cref="TrustedKeys"/> answers.
/// </summary>
/// <remarks>
/// <code>
/// "SSHSIG" | version: 4 bytes, 1 | key | namespace | reserved | hash | signature      the last five behind their lengths
/// signed is: "SSHSIG" | namespace | reserved, empty | hash | digest of the message
/// </code>
/// </remarks>
public sealed class SshSignature
{
    /// <summary>The namespace of commits. A signature that was made for something else is none of a commit.</summary>
    public const string OfCommits = "hacktree";

    private const uint Version = 1;
    private const string Sha256Name = "sha256";
    private const string Sha512Name = "sha512";

    private readonly byte[] blob;
    private readonly byte[] value;

    private SshSignature(ReadOnlySpan<byte> blob, SshKey key, string space, string hash, ReadOnlySpan<byte> value)
    {
        this.blob = blob.ToArray();
        this.value = value.ToArray();
        (Key, Namespace, Hash) = (key, space, hash);
    }

    /// <summary>The public key that signed, as the signature itself says.</summary>
    public SshKey Key { get; }

    /// <summary>What the signature was made for.</summary>
    public string Namespace { get; }

    /// <summary>The whole signature as bytes.</summary>
    internal ReadOnlySpan<byte> Blob => blob;

    private string Hash { get; }

    private static ReadOnlySpan<byte> Magic => "SSHSIG"u8;

    /// <summary>Reads a signature's bytes; null for bytes that are none.</summary>
    public static SshSignature? TryParse(ReadOnlySpan<byte> blob)
    {
        var reader = new SshReader(blob);
        bool isOurs = reader.Take(Magic.Length).SequenceEqual(Magic) && reader.Number() == Version;
        ReadOnlySpan<byte> key = reader.Bytes();
        string space = reader.Text();
        _ = reader.Bytes();
        string hash = reader.Text();
        ReadOnlySpan<byte> value = reader.Bytes();
        return isOurs && reader.IsAtEnd && hash is Sha256Name or Sha512Name && SshKey.TryParse(key) is { } parsed
            ? new SshSignature(blob, parsed, space, hash, value)
            : null;
    }

    /// <summary>Whether the key signed this message for this purpose. False also for a kind of key that this program does not know.</summary>
    public bool Fits(ReadOnlySpan<byte> message, string space) => Namespace == space && Key.Verifies(value, Signed(message, space, Hash));

    /// <summary>Makes a signature.</summary>
    /// <param name="key">The public key.</param>
    /// <param name="message">What is signed.</param>
    /// <param name="space">What it is signed for.</param>
    /// <param name="sign">Makes the signature of the key over bytes.</param>
    internal static SshSignature Make(SshKey key, ReadOnlySpan<byte> message, string space, Func<byte[], byte[]> sign)
    {
        byte[] value = sign(Signed(message, space, Sha512Name));
        byte[] blob = new SshWriter().Raw(Magic).Number(Version).Bytes(key.Blob).Text(space).Text("").Text(Sha512Name).Bytes(value).ToArray();
        return TryParse(blob) ?? throw new InvalidOperationException("a signature that was made is none");
    }

    private static byte[] Signed(ReadOnlySpan<byte> message, string space, string hash) => new SshWriter()
        .Raw(Magic)
        .Text(space)
        .Text("")
        .Text(hash)
        .Bytes(hash == Sha512Name ? SHA512.HashData(message) : SHA256.HashData(message))
        .ToArray();
}
