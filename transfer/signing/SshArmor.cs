using System.Buffers.Text;
using System.Text;

namespace HackTree.Transfer;

/// <summary>Signatures as text: base64 between two lines, one signature after another. What ssh-keygen(1) writes, and reads if it is one signature.</summary>
public static class SshArmor
{
    private const int LineLength = 70;

    private static ReadOnlySpan<byte> Begin => "-----BEGIN SSH SIGNATURE-----"u8;

    private static ReadOnlySpan<byte> End => "-----END SSH SIGNATURE-----"u8;

    /// <summary>The signatures in a text, each once. Passes over all that is none.</summary>
    public static List<SshSignature> Parse(ReadOnlySpan<byte> text)
    {
        var found = new List<SshSignature>();
        for (int begin = text.IndexOf(Begin); begin >= 0; begin = text.IndexOf(Begin))
        {
            text = text[(begin + Begin.Length)..];
            int end = text.IndexOf(End);
            if (end >= 0 && TryDecode(text[..end]) is { } signature && !found.Exists(other => other.Blob.SequenceEqual(signature.Blob)))
            {
                found.Add(signature);
            }
        }

        return found;
    }

    /// <summary>The text of signatures; those that are too many for the length are left out, from the end.</summary>
    public static byte[] Write(IEnumerable<SshSignature> signatures, int maxLength)
    {
        var text = new StringBuilder();
        foreach (SshSignature signature in signatures)
        {
            int before = text.Length;
            Append(text, signature);
            if (text.Length > maxLength)
            {
                text.Length = before;
                break;
            }
        }

        return Encoding.ASCII.GetBytes(text.ToString());
    }

    private static void Append(StringBuilder text, SshSignature signature)
    {
        text.Append(Encoding.ASCII.GetString(Begin)).Append('\n');
        ReadOnlySpan<char> digits = Convert.ToBase64String(signature.Blob);
        while (!digits.IsEmpty)
        {
            int length = Math.Min(LineLength, digits.Length);
            text.Append(digits[..length]).Append('\n');
            digits = digits[length..];
        }

        text.Append(Encoding.ASCII.GetString(End)).Append('\n');
    }

    private static SshSignature? TryDecode(ReadOnlySpan<byte> digits)
    {
        byte[] blob = new byte[Base64.GetMaxDecodedFromUtf8Length(digits.Length)];
        return Base64.DecodeFromUtf8(digits, blob, out int read, out int length) == System.Buffers.OperationStatus.Done && read == digits.Length
            ? SshSignature.TryParse(blob.AsSpan(0, length))
            : null;
    }
}
