using System.Buffers.Text;
using HackTree.Linux;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;
using Org.BouncyCastle.Math.EC.Rfc8032;

namespace HackTree.Transfer;

/// <summary>
/// A key that signs. An ed25519 key in a file without a passphrase signs here; every other one through <see cref="SshKeygen"/>, which asks for passphrases and
/// speaks to agents and tokens.
/// </summary>
public sealed class SigningKey
{
    private const int MaxLength = 64 * 1024;
    private const int SeedLength = 32;

    private readonly string path;
    private readonly byte[]? seed;

    private SigningKey(string path, byte[]? seed) => (this.path, this.seed) = (path, seed);

    private static ReadOnlySpan<byte> Begin => "-----BEGIN OPENSSH PRIVATE KEY-----"u8;

    private static ReadOnlySpan<byte> End => "-----END OPENSSH PRIVATE KEY-----"u8;

    private static ReadOnlySpan<byte> Magic => "openssh-key-v1\0"u8;

    /// <summary>Opens a key: a file with a private key, or with the public key of one that an agent has.</summary>
    /// <exception cref="StoreException">The file cannot be read, is damaged, or others can read it.</exception>
    public static SigningKey Open(string path)
    {
        using SafeFileHandle file = OpenPath.File(path);
        Sys.Stat(file, out FileStatus status).ThrowIfFailed("statx", path);
        if (status.Type != FileType.Regular || status.Size > MaxLength)
        {
            throw new StoreException($"{path}: not a key; give the file of a private key, or of the public key of one that ssh-agent has");
        }

        byte[] bytes = new byte[status.Size];
        Sys.ReadAt(file, bytes, 0, out int count).ThrowIfFailed("pread", path);
        byte[]? seed = TrySeed(path, bytes.AsSpan(0, count));
        const ushort others = 0x3F;
        return seed is null || (status.Mode & others) == 0
            ? new SigningKey(path, seed)
            : throw new StoreException($"{path}: other users can read this private key; take that right away with `chmod 600 {path}`");
    }

    /// <summary>Signs a message. Throws <see cref="StoreException"/> if the program that has to sign does not.</summary>
    public SshSignature Sign(byte[] message, string space, CancellationToken stop)
    {
        SshSignature made = seed is null ? SshKeygen.Sign(path, message, space, stop) : SignHere(seed, message, space);
        return made.Fits(message, space)
            ? made
            : throw new StoreException($"{path}: signatures of {made.Key.Type} keys are not known here; use an ed25519 key");
    }

    private static SshSignature SignHere(byte[] seed, byte[] message, string space)
    {
        byte[] key = new byte[Ed25519.PublicKeySize];
        Ed25519.GeneratePublicKey(seed, 0, key, 0);
        return SshSignature.Make(SshKey.OfEd25519(key), message, space, signed =>
        {
            byte[] signature = new byte[Ed25519.SignatureSize];
            Ed25519.Sign(seed, 0, signed, 0, signed.Length, signature, 0);
            return SshKey.Ed25519Signature(signature);
        });
    }

    /// <summary>
    /// The secret of an ed25519 key without a passphrase; null for every other file (PROTOCOL.key of OpenSSH).
    /// </summary>
    private static byte[]? TrySeed(string path, ReadOnlySpan<byte> text)
    {
        int begin = text.IndexOf(Begin), end = text.IndexOf(End);
        if (begin < 0 || end < begin)
        {
            return null;
        }

        ReadOnlySpan<byte> digits = text[(begin + Begin.Length)..end];
        byte[] blob = new byte[Base64.GetMaxDecodedFromUtf8Length(digits.Length)];
        if (Base64.DecodeFromUtf8(digits, blob, out _, out int length) != System.Buffers.OperationStatus.Done)
        {
            throw Damaged(path);
        }

        var reader = new SshReader(blob.AsSpan(0, length));
        bool isKey = reader.Take(Magic.Length).SequenceEqual(Magic);
        bool isPlain = reader.Text() == "none" & reader.Text() == "none" & reader.Bytes().IsEmpty & reader.Number() == 1;
        ReadOnlySpan<byte> open = reader.Bytes(), secret = reader.Bytes();
        return !isKey ? throw Damaged(path)
            : !isPlain || SshKey.TryParse(open)?.Type != SshKey.Ed25519Type ? null
            : SeedOf(secret) ?? throw Damaged(path);
    }

    private static byte[]? SeedOf(ReadOnlySpan<byte> secret)
    {
        var reader = new SshReader(secret);
        bool isWhole = reader.Number() == reader.Number() & reader.Text() == SshKey.Ed25519Type;
        ReadOnlySpan<byte> open = reader.Bytes(), pair = reader.Bytes();
        if (!isWhole || pair.Length != SeedLength + Ed25519.PublicKeySize)
        {
            return null;
        }

        byte[] seed = pair[..SeedLength].ToArray(), key = new byte[Ed25519.PublicKeySize];
        Ed25519.GeneratePublicKey(seed, 0, key, 0);
        return open.SequenceEqual(key) ? seed : null;
    }

    private static StoreException Damaged(string path) => new($"{path}: the private key in it is damaged");
}
