using System.Security.Cryptography;
using CsCheck;
using HackTree.Store;
using HackTree.Tests.Support;
using HackTree.Transfer;
using Org.BouncyCastle.Math.EC.Rfc8032;

namespace HackTree.Tests.Transfer;

/// <summary>SSH signatures, with ssh-keygen as the judge: ours are read by it, its are read by us, and what it refuses is refused.</summary>
public sealed class SignatureTests : IDisposable
{
    private static readonly byte[] Text = "a commit's text\n"u8.ToArray();

    private readonly SignKeys keys = new();

    public void Dispose() => keys.Dispose();

    [Fact]
    public void Ssh_keygen_takes_a_signature_that_is_made_here()
    {
        string trusted = keys.Trust("trusted", ("alice", Path.GetFileName(keys.Make("key"))));
        SshSignature made = SigningKey.Open(keys.At("key")).Sign(Text, SshSignature.OfCommits, TestContext.Current.CancellationToken);
        byte[] armored = SshArmor.Write([made], Signatures.MaxLength);
        Assert.True(keys.Judge(trusted, Text, armored));
        Assert.False(keys.Judge(trusted, [.. Text, 1], armored));

        // ed25519 is deterministic, so both programs make the same bytes.
        Assert.Equal(SshArmor.Write([keys.Sign("key", Text)], Signatures.MaxLength), armored);
    }

    [Theory]
    [InlineData("ed25519")]
    [InlineData("ecdsa", "-b", "256")]
    [InlineData("ecdsa", "-b", "384")]
    [InlineData("ecdsa", "-b", "521")]
    [InlineData("rsa", "-b", "2048")]
    public void A_signature_of_ssh_keygen_is_right_for_its_text_and_namespace_only(string type, params string[] options)
    {
        keys.Make("key", ["-t", type, .. options]);
        foreach (string hash in (string[])["sha512", "sha256"])
        {
            SshSignature signature = keys.Sign("key", Text, SshSignature.OfCommits, "-O", $"hashalg={hash}");
            Assert.True(signature.Fits(Text, SshSignature.OfCommits));
            Assert.False(signature.Fits([.. Text, 1], SshSignature.OfCommits));
            Assert.False(signature.Fits(Text, "file"));
        }

        Assert.False(keys.Sign("key", Text, "file").Fits(Text, SshSignature.OfCommits));
        Assert.Contains(keys.Sign("key", Text).Key.Fingerprint, Tools.Run("ssh-keygen", "-l", "-f", keys.At("key")).Succeeded());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_signature_of_a_token_is_read_as_ssh_keygen_reads_it(bool isCurve)
    {
        (byte[] blob, SshSignature signature) = isCurve ? SignAsToken(Text) : SignAsEd25519Token(Text);
        string type = signature.Key.Type;
        File.WriteAllText(keys.At("token.pub"), $"{type} {Convert.ToBase64String(blob)}\n");
        string trusted = keys.Trust("trusted", ("alice", "token"));
        byte[] armored = SshArmor.Write([signature], Signatures.MaxLength);
        Assert.True(keys.Judge(trusted, Text, armored));
        Assert.True(signature.Fits(Text, SshSignature.OfCommits));
        Assert.False(keys.Judge(trusted, [.. Text, 1], armored));
        Assert.False(signature.Fits([.. Text, 1], SshSignature.OfCommits));
    }

    [Fact]
    public void Every_changed_byte_makes_a_signature_wrong_or_none()
    {
        foreach (string type in (string[])["ed25519", "ecdsa", "rsa"])
        {
            keys.Make(type, "-t", type);
            SshSignature signature = keys.Sign(type, Text);
            byte[] blob = signature.Blob.ToArray();
            for (int i = 0; i < blob.Length; i++)
            {
                byte[] changed = [.. blob];
                changed[i] ^= 1;
                SshSignature? read = SshSignature.TryParse(changed);
                Assert.False(read is not null && read.Fits(Text, SshSignature.OfCommits) && read.Key.Equals(signature.Key), $"{type}, byte {i}");
            }
        }
    }

    [Fact]
    public void Any_bytes_are_a_signature_or_none()
    {
        keys.Make("key");
        byte[] right = SshArmor.Write([keys.Sign("key", Text)], Signatures.MaxLength);
        Gen.Select(Gen.Int[0, right.Length - 1], Gen.Byte.Array[0, 8], Gen.Int[0, 8]).Array[0, 4].Sample(changes =>
        {
            List<byte> bytes = [.. right, .. right];
            foreach ((int at, byte[] put, int cut) in changes)
            {
                bytes.RemoveRange(at, Math.Min(cut, bytes.Count - at));
                bytes.InsertRange(at, put);
            }

            List<SshSignature> found = SshArmor.Parse(bytes.ToArray());
            Assert.InRange(found.Count, 0, 2);
            found.ForEach(each => _ = each.Fits(Text, SshSignature.OfCommits));
        });
        Gen.Byte.Array[0, 400].Sample(bytes => _ = SshSignature.TryParse([.. "SSHSIG\0\0\0\u0001"u8, .. bytes])?.Fits(Text, SshSignature.OfCommits));
        Gen.Byte.Array[0, 200].Sample(bytes => _ = SshKey.TryParse(bytes)?.Verifies(bytes, Text));
    }

    [Fact]
    public void Several_signatures_are_kept_in_order_and_each_once()
    {
        keys.Make("a");
        keys.Make("b", "-t", "ecdsa");
        SshSignature[] two = [keys.Sign("a", Text), keys.Sign("b", Text)];
        byte[] text = SshArmor.Write(two, Signatures.MaxLength);
        List<SshSignature> read = SshArmor.Parse([.. "words\n"u8, .. text, .. "-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n"u8, .. text]);
        Assert.Equal(two.Select(each => each.Key), read.Select(each => each.Key));
        Assert.Single(SshArmor.Parse(SshArmor.Write(two, text.Length - 1)));
    }

    [Fact]
    public void Other_keys_sign_by_ssh_keygen()
    {
        keys.Make("curve", "-t", "ecdsa");
        string trusted = keys.Trust("trusted", ("alice", "curve"));
        SshSignature made = SigningKey.Open(keys.At("curve")).Sign(Text, SshSignature.OfCommits, TestContext.Current.CancellationToken);
        Assert.True(keys.Judge(trusted, Text, SshArmor.Write([made], Signatures.MaxLength)));
    }

    [Fact]
    public void A_key_with_a_passphrase_or_of_an_agent_signs_by_ssh_keygen()
    {
        Tools.Require("ssh-agent", "ssh-add");
        string key = keys.Make("locked", "-t", "ed25519", "-N", "secret words");
        string asked = Refusal(() => SigningKey.Open(key).Sign(Text, SshSignature.OfCommits, TestContext.Current.CancellationToken));
        Assert.Contains("ssh-keygen does not sign with it", asked);

        // An agent has the key: the public file names it. This process has no agent, so a shell starts the program with one.
        File.WriteAllText(keys.At("words"), "#!/bin/sh\necho 'secret words'\n");
        string signature = Tools.Run(
            "bash", "-c",
            $"chmod +x '{keys.At("words")}'; eval $(ssh-agent) > /dev/null; trap 'ssh-agent -k > /dev/null' EXIT; SSH_ASKPASS='{keys.At("words")}' SSH_ASKPASS_REQUIRE=force "
            + $"ssh-add -q '{key}' < /dev/null && printf \"a commit's text\\n\" | ssh-keygen -q -Y sign -n hacktree -f '{key}.pub'").Succeeded();
        Assert.True(Assert.Single(SshArmor.Parse(System.Text.Encoding.ASCII.GetBytes(signature))).Fits(Text, SshSignature.OfCommits));
    }

    [Fact]
    public void A_key_that_others_can_read_or_that_is_damaged_is_refused()
    {
        string key = keys.Make("key");
        Tools.Run("chmod", "440", key).Succeeded();
        Assert.Contains("chmod 600", Refusal(() => SigningKey.Open(key)));
        Tools.Run("chmod", "400", key).Succeeded();
        SshKey right = keys.Sign("key", Text).Key;
        byte[] blob = Convert.FromBase64String(string.Concat(File.ReadAllLines(key)[1..^1]));
        for (int i = 0; i < blob.Length; i += 3)
        {
            byte[] changed = [.. blob];
            changed[i] ^= 0x41;
            string path = keys.At($"changed{i}");
            File.WriteAllText(path, $"-----BEGIN OPENSSH PRIVATE KEY-----\n{Convert.ToBase64String(changed)}\n-----END OPENSSH PRIVATE KEY-----\n");
            Tools.Run("chmod", "400", path).Succeeded();

            // Whatever is changed: refused, or the signature is still that of the key.
            try
            {
                SshSignature made = SigningKey.Open(path).Sign(Text, SshSignature.OfCommits, TestContext.Current.CancellationToken);
                Assert.Equal(right, made.Key);
            }
            catch (StoreException)
            {
            }
        }
    }

    private static string Refusal(Action action) => Assert.Throws<StoreException>(action).Message;

    private static (byte[] Key, SshSignature Signature) SignAsEd25519Token(byte[] text)
    {
        byte[] seed = RandomNumberGenerator.GetBytes(32), point = new byte[32];
        Ed25519.GeneratePublicKey(seed, 0, point, 0);
        const string type = "sk-ssh-ed25519@openssh.com";
        byte[] key = new SshWriter().Text(type).Bytes(point).Text("ssh:").ToArray();
        return (key, SshSignature.Make(SshKey.TryParse(key)!, text, SshSignature.OfCommits, signed =>
        {
            byte[] message = TokenMessage(signed), signature = new byte[64];
            Ed25519.Sign(seed, 0, message, 0, message.Length, signature, 0);
            return new SshWriter().Text(type).Bytes(signature).Raw([1]).Number(7).ToArray();
        }));
    }

    private static (byte[] Key, SshSignature Signature) SignAsToken(byte[] text)
    {
        using var secret = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        ECPoint point = secret.ExportParameters(false).Q;
        const string type = "sk-ecdsa-sha2-nistp256@openssh.com";
        byte[] key = new SshWriter().Text(type).Text("nistp256").Bytes([4, .. point.X!, .. point.Y!]).Text("ssh:").ToArray();
        return (key, SshSignature.Make(SshKey.TryParse(key)!, text, SshSignature.OfCommits, signed =>
        {
            byte[] pair = secret.SignData(TokenMessage(signed), HashAlgorithmName.SHA256);
            byte[] numbers = new SshWriter().Bytes([0, .. pair[..32]]).Bytes([0, .. pair[32..]]).ToArray();
            return new SshWriter().Text(type).Bytes(TrimZeros(numbers)).Raw([1]).Number(7).ToArray();
        }));
    }

    private static byte[] TokenMessage(byte[] signed) => new SshWriter().Raw(SHA256.HashData("ssh:"u8)).Raw([1]).Number(7).Raw(SHA256.HashData(signed)).ToArray();

    /// <summary>ssh-keygen refuses a number with a zero before it that it does not need.</summary>
    private static byte[] TrimZeros(byte[] numbers)
    {
        var reader = new SshReader(numbers);
        byte[][] both = [reader.LargeNumber().ToArray(), reader.LargeNumber().ToArray()];
        var writer = new SshWriter();
        Array.ForEach(both, number => writer.Bytes(number[0] >= 0x80 ? [0, .. number] : number));
        return writer.ToArray();
    }
}
