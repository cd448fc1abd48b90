using System.Security.Cryptography;
using HackTree.Model;
using Org.BouncyCastle.Math.EC.Rfc8032;

namespace HackTree.Transfer;

/// <summary>A public key of SSH. An immutable value; two are the same if their bytes are.</summary>
public sealed class SshKey : IEquatable<SshKey>
{
    internal const string Ed25519Type = "ssh-ed25519";

    private const string Ed25519TokenType = "sk-ssh-ed25519@openssh.com";
    private const string P256TokenType = "sk-ecdsa-sha2-nistp256@openssh.com";
    private const string CurvePrefix = "ecdsa-sha2-";
    private const string RsaType = "ssh-rsa";
    private const int MinRsaBytes = 128;
    private const int MaxRsaBytes = 2048;
    private const int MaxExponentBytes = 8;

    private readonly byte[] blob;

    private SshKey(ReadOnlySpan<byte> blob, string type) => (this.blob, Type) = (blob.ToArray(), type);

    /// <summary>The kind of key, such as ssh-ed25519.</summary>
    public string Type { get; }

    /// <summary>The key's name for people: SHA256 and 43 characters, as ssh-keygen -l prints it.</summary>
    public string Fingerprint => $"SHA256:{Convert.ToBase64String(SHA256.HashData(blob)).TrimEnd('=')}";

    /// <summary>The key as bytes: its type, and fields that depend on that.</summary>
    public ReadOnlySpan<byte> Blob => blob;

    /// <summary>Reads a key's bytes; null if they do not begin with a type.</summary>
    public static SshKey? TryParse(ReadOnlySpan<byte> blob)
    {
        var reader = new SshReader(blob);
        string type = reader.Text();
        _ = reader.Rest();
        bool isWord = type.Length > 0 && !ByteText.FromArgument(type).AsSpan().ContainsAnyInRange((byte)0, (byte)' ');
        return reader.IsAtEnd && isWord ? new SshKey(blob, type) : null;
    }

    /// <summary>The ed25519 key with these 32 bytes.</summary>
    internal static SshKey OfEd25519(ReadOnlySpan<byte> key) => new(new SshWriter().Text(Ed25519Type).Bytes(key).ToArray(), Ed25519Type);

    /// <summary>The bytes of a signature by an ed25519 key.</summary>
    internal static byte[] Ed25519Signature(ReadOnlySpan<byte> signature) => new SshWriter().Text(Ed25519Type).Bytes(signature).ToArray();

    /// <summary>Whether the key made this signature of a message. False for anything malformed, and for a kind of key that is not known.</summary>
    internal bool Verifies(ReadOnlySpan<byte> signature, ReadOnlySpan<byte> message)
    {
        var key = new SshReader(blob);
        var reader = new SshReader(signature);
        _ = key.Bytes();
        string type = reader.Text();
        ReadOnlySpan<byte> value = reader.Bytes();
        try
        {
            return Type switch
            {
                Ed25519Type => type == Type && reader.IsAtEnd && VerifiesEd25519(key.Bytes(), value, message) && key.IsAtEnd,
                RsaType => reader.IsAtEnd && VerifiesRsa(key, type, value, message),
                Ed25519TokenType or P256TokenType => type == Type && VerifiesToken(key, reader, value, message),
                _ => Type.StartsWith(CurvePrefix, StringComparison.Ordinal) && type == Type && reader.IsAtEnd
                    && key.Text() == Type[CurvePrefix.Length..] && VerifiesCurve(key.Bytes(), Type[CurvePrefix.Length..], value, message) && key.IsAtEnd,
            };
        }
        catch (CryptographicException)
        {
            // A point that is not on its curve, or another key that is none.
            return false;
        }
    }

    /// <inheritdoc/>
    public bool Equals(SshKey? other) => other is not null && blob.AsSpan().SequenceEqual(other.blob);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as SshKey);

    /// <inheritdoc/>
    public override int GetHashCode() => Digest.Of(blob).GetHashCode();

    private static bool VerifiesEd25519(ReadOnlySpan<byte> key, ReadOnlySpan<byte> signature, ReadOnlySpan<byte> message) =>
        key.Length == Ed25519.PublicKeySize && signature.Length == Ed25519.SignatureSize
        && Ed25519.Verify(signature.ToArray(), 0, key.ToArray(), 0, message.ToArray(), 0, message.Length);

    private static bool VerifiesCurve(ReadOnlySpan<byte> point, string name, ReadOnlySpan<byte> signature, ReadOnlySpan<byte> message)
    {
        (ECCurve curve, HashAlgorithmName hash, int size) = name switch
        {
            "nistp256" => (ECCurve.NamedCurves.nistP256, HashAlgorithmName.SHA256, 32),
            "nistp384" => (ECCurve.NamedCurves.nistP384, HashAlgorithmName.SHA384, 48),
            "nistp521" => (ECCurve.NamedCurves.nistP521, HashAlgorithmName.SHA512, 66),
            _ => (default, default, 0),
        };
        var reader = new SshReader(signature);
        ReadOnlySpan<byte> r = reader.LargeNumber(), s = reader.LargeNumber();
        const byte uncompressed = 4;
        if (size == 0 || !reader.IsAtEnd || r.Length > size || s.Length > size || point.Length != 1 + (2 * size) || point[0] != uncompressed)
        {
            return false;
        }

        byte[] pair = new byte[2 * size];
        r.CopyTo(pair.AsSpan(size - r.Length));
        s.CopyTo(pair.AsSpan((2 * size) - s.Length));
        var q = new ECPoint { X = point.Slice(1, size).ToArray(), Y = point[(1 + size)..].ToArray() };
        using var key = ECDsa.Create(new ECParameters { Curve = curve, Q = q });
        return key.VerifyData(message, pair, hash, DSASignatureFormat.IeeeP1363FixedFieldConcatenation);
    }

    private static bool VerifiesRsa(SshReader key, string type, ReadOnlySpan<byte> signature, ReadOnlySpan<byte> message)
    {
        ReadOnlySpan<byte> exponent = key.LargeNumber(), modulus = key.LargeNumber();
        HashAlgorithmName hash = type switch
        {
            "rsa-sha2-256" => HashAlgorithmName.SHA256,
            "rsa-sha2-512" => HashAlgorithmName.SHA512,
            _ => default,
        };
        bool isKey = key.IsAtEnd && modulus.Length is >= MinRsaBytes and <= MaxRsaBytes && exponent.Length is > 0 and <= MaxExponentBytes;
        if (hash == default || !isKey || signature.Length > modulus.Length)
        {
            return false;
        }

        byte[] padded = new byte[modulus.Length];
        signature.CopyTo(padded.AsSpan(modulus.Length - signature.Length));
        using var rsa = RSA.Create(new RSAParameters { Exponent = exponent.ToArray(), Modulus = modulus.ToArray() });
        return rsa.VerifyData(message, padded, hash, RSASignaturePadding.Pkcs1);
    }

    /// <summary>A key in a FIDO token signs the digest of its application, its flags, its counter and the digest of the message.</summary>
    private bool VerifiesToken(SshReader key, SshReader signature, ReadOnlySpan<byte> value, ReadOnlySpan<byte> message)
    {
        bool isCurve = Type == P256TokenType;
        string curve = isCurve ? key.Text() : "";
        ReadOnlySpan<byte> point = key.Bytes(), application = key.Bytes();
        ReadOnlySpan<byte> flags = signature.Take(1);
        uint counter = signature.Number();
        if (!key.IsAtEnd || !signature.IsAtEnd || (isCurve && curve != "nistp256"))
        {
            return false;
        }

        byte[] signed = new SshWriter().Raw(SHA256.HashData(application)).Raw(flags).Number(counter).Raw(SHA256.HashData(message)).ToArray();
        return isCurve ? VerifiesCurve(point, curve, value, signed) : VerifiesEd25519(point, value, signed);
    }
}
