using System.Text.Json;
using HackTree.Transfer;

namespace HackTree.Cli;

/// <summary>Signatures in words and as JSON.</summary>
internal static class SignatureText
{
    internal static string Key(SshSignature signature) => $"{signature.Key.Type} {signature.Key.Fingerprint}";

    internal static void WriteKey(Utf8JsonWriter writer, SshSignature signature)
    {
        writer.WriteString("keyType", signature.Key.Type);
        writer.WriteString("key", signature.Key.Fingerprint);
    }

    /// <summary>The keys that signed a commit, whether they are trusted or not.</summary>
    internal static void WriteKeys(Utf8JsonWriter writer, IReadOnlyList<SshSignature> signatures)
    {
        writer.WriteStartArray("signatures");
        foreach (SshSignature each in signatures)
        {
            writer.WriteStartObject();
            WriteKey(writer, each);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }

    internal static void Write(Utf8JsonWriter writer, IReadOnlyList<JudgedSignature> judged)
    {
        writer.WriteBoolean("good", judged.Any(each => each.Worth == SignatureWorth.Good));
        writer.WriteStartArray("signatures");
        foreach (JudgedSignature each in judged)
        {
            writer.WriteStartObject();
            WriteKey(writer, each.Signature);
            writer.WriteString("worth", each.Worth.ToString().ToLowerInvariant());
            writer.WriteString("principals", each.Principals);
            writer.WriteString("fault", each.Fault);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }
}
