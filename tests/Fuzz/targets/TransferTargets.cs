using System.Net;
using System.Text;
using HackTree.Checkout;
using HackTree.Model;
using HackTree.Store;
using HackTree.Transfer;

namespace HackTree.Tests.Fuzz;

/// <summary>The decoders of what comes from remotes, from other stores and from who signs.</summary>
internal static class TransferTargets
{
    private static readonly byte[][] JsonWords = StoreTargets.Words(
        "null", "{}", "[]", "[null]", "\"\\ud800\"", "\"\"", "1e400", "-1", "9223372036854775807", "true", "\"annotations\":{", "\"platform\":{\"os\":\"linux\"}",
        "\"manifests\":[", "\"config\":", "\"layers\":[", "\"digest\":", "\"size\":", "\"org.opencontainers.image.created\":\"0001-01-01T00:00:00+14:00\"",
        "application/vnd.hacktree.delta.v1", "\"vnd.hacktree.from\":", "\"history\":[", "\"empty_layer\":true", "\"variant\":", "sha256:");

    private static readonly byte[][] SignerWords = StoreTargets.Words(
        "namespaces=\"", "valid-after=\"20200101\"", "valid-before=\"99991231235959Z\"", "valid-after=\"00010101\"", "cert-authority", "\\\"", "\"", ",", "# ", "\n", "ssh-ed25519 ",
        "!a,*?");

    private static readonly byte[][] LinkWords = StoreTargets.Words(
        "hello 0\n", "refs 0\n", "ref 4\nmain", "yes 0\n", "no 3\nwhy", "commit ", "signatures ", "trees ", "blobs ", "record 4\nmain", "push ", " 0\n", " 32\n",
        " 18446744073709551615\n", " 68000000\n");

    public static IEnumerable<FuzzTarget> All(FuzzPlace place) =>
    [
        new("manifest", ReadManifest) { Words = JsonWords },
        new("image-manifest", ReadImageManifest) { Words = JsonWords },
        new("image-config", bytes => ImageConfig.TryDecode(bytes)?.Annotations() is not null) { Words = JsonWords },
        new("layout", ReadLayout) { Words = JsonWords },
        new("image-archive", bytes => ReadImage(place, bytes))
        {
            Refusals = [typeof(StoreException)], Seal = CheckoutTargets.SealTar, Words = JsonWords, Memory = 16 * 1024 * 1024, Burst = 500,
        },
        new("bundle-index", ReadIndex),
        new("bundle-frame", bytes => ReadFrame(place, bytes)) { Refusals = [typeof(CorruptException)], Memory = 32 * 1024 * 1024, Burst = 500 },
        new("delta", bytes => ReadDelta(place, bytes)) { Refusals = [typeof(StoreException)], Seal = SealDelta, Memory = 32 * 1024 * 1024, Burst = 200 },
        new("link-server", bytes => Serve(place, bytes)) { Refusals = Ended, Words = LinkWords, Memory = 32 * 1024 * 1024, Burst = 200 },
        new("link-client", bytes => Pull(place, bytes)) { Refusals = Ended, Words = LinkWords, Memory = 32 * 1024 * 1024, Burst = 200 },
        new("signature", ReadSignature) { Words = StoreTargets.Words("SSHSIG", "ssh-rsa", "rsa-sha2-512", "ssh-ed25519", "ecdsa-sha2-nistp256", "nistp256", "sha512", "hacktree") },
        new("signatures", bytes => SshArmor.Parse(bytes).Count > 0) { Words = StoreTargets.Words("-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----") },
        new("allowed-signers", ReadSigners) { Refusals = [typeof(StoreException)], Words = SignerWords },
        new("ref-record", ReadRefRecord) { Words = StoreTargets.Words("\nserial ", "\ncohort ", "\nnot-before ", "\nexpires ", "253402300799") },
        new("login-file", bytes => LoginFiles.InJson(bytes, "h") is not null | LoginFiles.InNetrc(Encoding.UTF8.GetString(bytes), "h") is not null)
        {
            Words = [.. JsonWords, .. StoreTargets.Words("machine h ", "login u ", "password p", "default ", "\"auths\":{\"h\":{\"auth\":\"")],
        },
        new("challenge", AnswerChallenge) { Words = [.. JsonWords, .. StoreTargets.Words("Bearer realm=\"https://h/\"", ",realm=\"", "service=\"s\"", "scope=\"x\"", "Basic ")] },
        new("tag", bytes => TagName.RefOf(Encoding.UTF8.GetString(bytes)) is { } name && TagName.OfRef(name).Length > 0)
        {
            Refusals = [typeof(StoreException)], Words = StoreTargets.Words("--", "_m", "_u", "_a", "_p"),
        },
    ];

    // The end of the input stops the reader, which would wait a moment for the signal that killed ssh.
    private static Type[] Ended => [typeof(StoreException), typeof(OperationCanceledException)];

    private static bool ReadManifest(byte[] bytes)
    {
        if (Manifest.TryDecode(bytes, out string error) is not { } manifest)
        {
            Assert.NotEmpty(error);
            return false;
        }

        Assert.NotNull(Manifest.TryDecode(manifest.Encode(), out _));
        return true;
    }

    private static bool ReadImageManifest(byte[] bytes)
    {
        ImageManifest? manifest = ImageManifest.TryDecode(bytes, out _);
        _ = manifest?.Choose(Platform.Here);
        return manifest is not null;
    }

    private static bool ReadLayout(byte[] bytes)
    {
        if (Layout.TryDecode(bytes) is not { } layout)
        {
            return false;
        }

        foreach (string tag in layout.Tags())
        {
            _ = layout.Find(tag);
        }

        _ = layout.FindUntagged();
        layout.Set("main", Descriptor.Of(MediaType.Manifest, bytes), Digest.Of(bytes));
        Assert.NotNull(Layout.TryDecode(layout.Encode())?.Find("main"));
        return true;
    }

    private static bool ReadImage(FuzzPlace place, byte[] bytes)
    {
        using Image image = ImageSource.Open(place.Store, "-", null, new WebOptions(), () => new MemoryStream(bytes));
        foreach (ImageLayer layer in image.Layers)
        {
            using Stream content = layer.Open();
            content.CopyTo(Stream.Null);
        }

        return true;
    }

    private static bool ReadIndex(byte[] bytes)
    {
        if (BundleIndex.TryDecode(bytes, out string error) is not { } index)
        {
            Assert.NotEmpty(error);
            return false;
        }

        Assert.All(index.Frames, frame => Assert.InRange(frame.End, 1, index.Bundles[frame.Bundle].Length));
        if (index.TryFind(Digest.Of("a"u8), out BlobPlace place))
        {
            Assert.InRange(place.Offset, 0, index.Frames[place.Frame].RawLength);
        }

        return true;
    }

    /// <summary>The first four bytes say how long the frame is raw: as index and delta do, which were checked before.</summary>
    private static bool ReadFrame(FuzzPlace place, byte[] bytes)
    {
        if (bytes.Length < 5)
        {
            return false;
        }

        int raw = (int)(BitConverter.ToUInt32(bytes) % (CheckoutTargets.MostUnpacked + 1));
        using var additions = new Additions(place.Store);
        using var reader = new FrameReader(additions, fault => new CorruptException("test", fault, null), null);
        var blob = new LackingBlob(Verity.Compute("a frame"u8), raw, "path"u8.ToArray());
        blob.Objects.Add(new LackingObject(Store.TestStore.Metadata, []));
        reader.Add(new MemoryStream(bytes, 4, bytes.Length - 4), bytes.Length - 4, raw, [(0, blob)]);
        return true;
    }

    private static bool ReadDelta(FuzzPlace place, byte[] bytes)
    {
        string path = place.Write("delta", bytes);
        using (ObjectStore store = place.Old())
        {
            DeltaTransfer.Apply(store, new FileStream(path, FileMode.Open), path, new DeltaRequest("main") { AllowDowngrade = true });
        }

        place.Reset();
        return true;
    }

    /// <summary>Puts the checksums of the pack in a delta right.</summary>
    private static byte[] SealDelta(byte[] bytes)
    {
        if (DeltaHead.TryRead(new MemoryStream(bytes), out _) is { } head && head.Length + head.PackLength <= bytes.Length)
        {
            byte[] pack = PackSeal.Of(bytes[head.Length..(int)(head.Length + head.PackLength)]);
            pack.CopyTo(bytes, head.Length);
        }

        return bytes;
    }

    private static bool Serve(FuzzPlace place, byte[] bytes)
    {
        using var input = new EndingStream(bytes);
        using (ObjectStore store = place.Old(input.End))
        {
            StoreHost.Run(store, input, Stream.Null, isReadOnly: false, _ => { });
        }

        if (bytes.AsSpan().IndexOf("push"u8) >= 0)
        {
            place.Reset();
        }

        return true;
    }

    private static bool Pull(FuzzPlace place, byte[] bytes)
    {
        using var input = new EndingStream(bytes);
        using (ObjectStore store = place.Old(input.End))
        {
            using var link = new StoreLink(input, Stream.Null, "the other end") { Stop = input.End };
            link.Greet();
            HackTree.Transfer.Pull.Run(store, new LinkSource(link), new PullRequest("main", "main") { AllowDowngrade = true });
        }

        place.Reset();
        return true;
    }

    private static bool ReadSignature(byte[] bytes) =>
        SshSignature.TryParse(bytes) is { } signature && signature.Key.Fingerprint.Length > 0 && signature.Fits("a commit's text\n"u8, SshSignature.OfCommits);

    private static bool ReadSigners(byte[] bytes)
    {
        TrustedKey[] keys = [.. AllowedSigners.Parse(Encoding.UTF8.GetString(bytes), "trusted")];
        foreach (TrustedKey key in keys)
        {
            _ = key.FaultAt(0, SshSignature.OfCommits);
            _ = key.FaultAt(long.MaxValue, "file");
        }

        return keys.Length > 0;
    }

    private static bool ReadRefRecord(byte[] bytes)
    {
        if (SignedRecord.TryParse(bytes) is not { } signed)
        {
            return false;
        }

        _ = signed.Record.ReasonToWait("machine"u8, 0);
        _ = RefRecord.Time(signed.Record.Expires);
        Assert.Equal(signed.Record, SignedRecord.TryParse(signed.Encode())?.Record);
        return true;
    }

    /// <summary>The first line is the header that asks for a login, and the rest what the place of tokens answers.</summary>
    private static bool AnswerChallenge(byte[] bytes)
    {
        string text = Encoding.UTF8.GetString(bytes);
        string header = text.Split('\n', 2)[0];
        using var answer = new HttpResponseMessage(HttpStatusCode.Unauthorized);
        answer.Headers.TryAddWithoutValidation("WWW-Authenticate", header);
        string body = text[Math.Min(text.Length, header.Length + 1)..];
        var login = new Login("h", _ => new HttpResponseMessage(HttpStatusCode.OK) { Content = new StringContent(body) });
        return login.TryAnswer(answer) && login.Current is not null;
    }

    /// <summary>Bytes of another program, at whose end a stop comes.</summary>
    private sealed class EndingStream(byte[] bytes) : ReadOnlyStream
    {
        private readonly CancellationTokenSource end = new();
        private int at;

        public CancellationToken End => end.Token;

        public override int Read(Span<byte> buffer)
        {
            int count = Math.Min(buffer.Length, bytes.Length - at);
            bytes.AsSpan(at, count).CopyTo(buffer);
            at += count;
            if (count == 0 && !buffer.IsEmpty)
            {
                end.Cancel();
            }

            return count;
        }

        protected override void Dispose(bool disposing)
        {
            end.Dispose();
            base.Dispose(disposing);
        }
    }
}
