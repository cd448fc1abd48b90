using System.IO.Pipes;
using System.Text;
using HackTree.Boot;
using HackTree.Model;
using HackTree.Store;
using HackTree.Tests.Model;
using HackTree.Tests.Store;
using HackTree.Tests.Support;
using HackTree.Tests.Transfer;
using HackTree.Transfer;

namespace HackTree.Tests.Fuzz;

/// <summary>
/// Makes the seeds <c>good-*</c> anew, for when a format changed: by the program itself, and by the programs whose formats they are. Run by hand:
/// <c>-class '*.FuzzSeeds' -explicit only</c>.
/// </summary>
public sealed class FuzzSeeds(FuzzPlace place) : IClassFixture<FuzzPlace>
{
    private static readonly FileMetadata Metadata = new(0x1A4, 0, 1000, 1_700_000_000);

    private static readonly byte[] Xattrs = XattrSet.Encode([("security.capability"u8.ToArray(), new byte[20]), ("user.a"u8.ToArray(), [0, 1])]);

    [Fact(Explicit = true)]
    public void Make()
    {
        Values();
        StoreFiles();
        ByPrograms();
        BootFiles();
        Transfers();
        Signed();
    }

    private static void Save(string target, string name, byte[] bytes)
    {
        string folder = Path.Combine(FuzzCorpus.Folder, target);
        Directory.CreateDirectory(folder);
        File.WriteAllBytes(Path.Combine(folder, $"good-{name}"), bytes);
    }

    private static void Save(string target, string name, string text) => Save(target, name, Encoding.UTF8.GetBytes(text));

    private static void Values()
    {
        byte[] tree = TestEntry.Build(
            new(EntryKind.BlockDevice, "b"u8.ToArray(), Metadata, []) { Major = 8, Minor = 1 },
            new(EntryKind.Directory, "d"u8.ToArray(), Metadata, []) { Digest = Digest.Of("d"u8) },
            new(EntryKind.Regular, "e"u8.ToArray(), Metadata, Xattrs) { Digest = Digest.Of("e"u8), Size = 7 },
            TestEntry.Symlink("f"u8.ToArray(), "../target"u8.ToArray())).Bytes.ToArray();
        Save("tree", "kinds", tree);
        Save("xattrs", "two", Xattrs);
        var commit = new Commit
        {
            Tree = Tree.DigestOf(tree),
            RootMetadata = Metadata,
            RootXattrs = Xattrs,
            Time = 1,
            Files = 3,
            ContentBytes = 7,
            Parents = [Digest.Of("p"u8)],
            Subject = "subject é",
            Body = "body\n\nmore",
            Annotations = Commit.NoAnnotations.Add("version", "12"),
        };
        Save("commit", "all", commit.Encode());
        Save("pack", "three", TestPack.Write((PackedKind.Tree, tree), (PackedKind.Commit, commit.Encode()), (PackedKind.Tree, TestPack.TreeOf(new string('b', 200)))));
        Save("bundle-index", "three-frames", BundleIndex.Encode(
            [new BundleName(Digest.Of("1"u8), 500), new BundleName(Digest.Of("2"u8), 700)],
            [new Frame(0, 0, 200, 900), new Frame(0, 200, 300, 3_000_000), new Frame(1, 0, 700, 800)],
            [
                (Digest.Of("a"u8), new BlobPlace(0, 0)),
                (Digest.Of("b"u8), new BlobPlace(0, 100)),
                (Digest.Of("c"u8), new BlobPlace(1, 0)),
                (Digest.Of("d"u8), new BlobPlace(2, 0)),
            ]));
        Save("tag", "ref", TagName.OfRef("with_all+of@them/a-b"));
    }

    private static void StoreFiles()
    {
        using var store = new TestStore();
        Digest commit = store.Commit("main", "a=1");
        _ = store.Commit("main", "a=2");
        Save("ref", "commit", File.ReadAllBytes(Path.Combine(store.Path, "refs/main")));
        Save("ref-log", "two", File.ReadAllBytes(Path.Combine(store.Path, "logs/main.log")));
        Save("store-format", "usual", new StoreFormat { Verity = VerityUse.Auto, IgnoresMachineXattrs = true }.Encode());
        var root = new RootRecord
        {
            Path = "/r1",
            Commit = commit,
            Revision = "main",
            Time = 1,
            Method = CheckoutMethod.Copy,
            State = RootState.Pinned,
            SealedAt = 5,
            Above = 2,
            Directory = new DirectoryIdentity(7, 8),
            OwnsEtc = true,
        };
        Save("root-record", "root", root.Encode());
        Save("root-record", "build", new BuildRecord
        {
            Path = "/r1",
            Commit = commit,
            Revision = "main",
            Time = 1,
            Method = CheckoutMethod.Hardlink,
            BecomesRoot = true,
            Replaced = new DirectoryIdentity(9, 10),
        }.Encode());
        using ObjectStore open = store.Open();
        open.Remotes.Add("origin", new NamedRemote("https://h/x", RequiresSignature: true));
        Save("named-remote", "signed", File.ReadAllBytes(Path.Combine(store.Path, "remotes/origin.json")));
        _ = TestStore.Commit(open, "debian/a", "f=1");
        using (var turn = RefTurn.Take(open))
        {
            turn.SetAlias("stable", "debian/a");
        }

        Save("alias", "stable", File.ReadAllBytes(Path.Combine(store.Path, "aliases/stable.json")));
        using var world = new StatCacheWorld();
        world.Fill(3);
        Save("stat-cache", "three", File.ReadAllBytes(Path.Combine(world.CachePath, "manifest")));
    }

    private static void ByPrograms()
    {
        const string Script = """
            set -e
            cd "$1"
            export TAR_OPTIONS='--blocking-factor=1 --sort=name --mtime=@1 --numeric-owner'
            mkdir -p s/etc t/bin
            seq 30 > t/bin/tool; chmod 4755 t/bin/tool; ln t/bin/tool t/bin/tool2; ln -s bin/tool t/link; mkfifo t/pipe
            truncate -s 1M s/etc/sparse; printf x | dd of=s/etc/sparse bs=1 seek=500000 conv=notrunc status=none
            setfattr -n user.a -v b s/etc/sparse
            mkdir "t/$(printf 'l%.0s' $(seq 120))"
            for f in gnu pax ustar v7; do tar -C t --format=$f -cf tar.$f . 2> /dev/null || true; done
            tar -C s --format=pax --xattrs --acls --sparse -cf tar.sparse .
            for v in 0.0 0.1; do tar -C s --format=pax --sparse --sparse-version=$v -cf tar.sparse-$v etc; done
            tar -C s --format=gnu --sparse -cf tar.sparse-gnu etc
            mkdir -p w/etc; : > w/etc/.wh.sparse; : > w/etc/.wh..wh..opq
            tar -C w --format=ustar -cf tar.whiteout etc
            for p in gzip bzip2 xz lzma zstd; do tar -C t -c bin | $p -c > packed.$p; done
            tar -C t -c bin | lz4 -c > packed.lz4; tar -C t -c bin | lz4 -lc > packed.lz4-legacy
            (cd t && find bin link pipe | LC_ALL=C sort | cpio --quiet -o -H newc) > none
            (cd t && find bin | cpio --quiet -o -H crc) > crc
            gzip -9 < none > gzip; bzip2 < none > bzip2; lzma < none > lzma; xz -0 --check=crc32 < none > xz; xz -0 --check=sha256 --block-size=500 < none > blocks
            lz4 -lq < none > lz4; zstd -q --check < none > zstd; (cat crc; cat gzip) > two
            ostree init --repo=repo --mode=archive
            mkdir o; cp -a t/bin t/link o
            ostree --repo=repo commit -b main --timestamp=@1 --add-metadata-string=version=12 -s subject -m body o > /dev/null
            """;
        using var directory = new TempDirectory();
        Tools.Run("bash", "-c", Script, "bash", directory.Path).Succeeded();
        foreach (string path in Directory.GetFiles(directory.Path))
        {
            string name = Path.GetFileName(path);
            byte[] bytes = File.ReadAllBytes(path);
            string target = name.StartsWith("tar.", StringComparison.Ordinal) ? "tar" : name.StartsWith("packed.", StringComparison.Ordinal) ? "packed" : "initrd";
            Save(target, name[(name.IndexOf('.', StringComparison.Ordinal) + 1)..], bytes);

            if (name is "tar.ustar" or "tar.sparse" or "tar.whiteout")
            {
                Save("tar-import", name[4..], bytes);
            }

            if (name is "none" or "gzip" or "two")
            {
                Save("initrd-verify", name, bytes);
            }
        }

        Save("pax", "records", "12 path=a/b\n14 mtime=1.25\n25 SCHILY.xattr.user.a=b\n"u8.ToArray());
        foreach (string kind in (string[])["commit", "dirtree", "dirmeta", "filez"])
        {
            string target = kind switch { "dirtree" => "tree", "dirmeta" => "header", "filez" => "file", _ => kind };
            foreach ((int number, string path) in Directory.GetFiles(directory.At("repo"), $"*.{kind}", SearchOption.AllDirectories).Order(StringComparer.Ordinal).Index())
            {
                byte[] bytes = File.ReadAllBytes(path);
                Save($"ostree-{target}", kind + number, bytes);
            }
        }

        Save("ostree-config", "archive", File.ReadAllBytes(directory.At("repo/refs/heads/main")));
    }

    private void BootFiles()
    {
        Save("grub-environment", "empty", GrubMenu.EmptyEnvironment);
        Save("grub-environment", "options", ("# GRUB Environment Block\nsaved_entry=r1\n" + GrubMenu.OptionsName + "=quiet console=ttyS0\n").PadRight(GrubMenu.EmptyEnvironment.Length, '#'));
        var entry = new LoaderEntry
        {
            Root = "r1",
            Rank = 7,
            TriesLeft = 2,
            Fallback = "r0",
            Kernel = "/hacktree/x/vmlinuz-6",
            Initrds = ["/hacktree/x/initrd"],
            Options = "root=UUID=1 ro quiet",
            OtherLines = ["devicetree /x"],
        };
        Save("loader-entry", "trial", entry.Text);
        var root = new BisectRoot("r1", Digest.Of("c"u8));
        new BisectState
        {
            Default = "r0",
            Reboots = true,
            Good = Digest.Of("a"u8),
            Bad = Digest.Of("b"u8),
            Roots = [root],
            Trial = root,
            Verdicts = [new BisectVerdict(Digest.Of("d"u8), null), new BisectVerdict(Digest.Of("e"u8), "it did not start")],
        }.Write(place.At("physical"));
        Save("bisect", "trial", File.ReadAllBytes(BisectState.PathIn(place.At("physical"))));
        Save("recipe", "two", "# a recipe\napt-get install -y nano \\\n  vim\n\n  echo done > /etc/state\n");
        Save("settings", "all", "# nightly\n[Upgrade]\nWindow=Sat,Sun 22:00-02:00; Mon..Fri 03:00-05:00\nRef=origin:os\nReboot=no\n");
        Save("fstab", "debian", "# <file system>\nUUID=1 / ext4 errors=remount-ro 0 1\n/dev/sda2 none swap sw 0 0\n/dev/sda1 /boot/ vfat noauto,nofail\n");
        const int Sector = 512, Sectors = 80;
        (byte[] beginning, byte[] end) = PartitionTable.Gpt(Sectors * Sector, new Partition(1, 40 * Sector, Sector), new Partition(2, 41 * Sector, 3 * Sector));
        Save("partition-table", "gpt", [.. beginning, .. new byte[(Sectors * Sector) - beginning.Length - end.Length], .. end]);
        Save("partition-table", "mbr", [.. PartitionTable.Mbr([], 7, new Partition(1, Sector, 4 * Sector)), .. new byte[4 * Sector]]);
        Save("accounts", "passwd", [.. "root:x:0:0:root:/root:/bin/sh\na:x:1000:1000::/:\n"u8, 0xFF, .. "root:x:0:0:root:/root:/bin/bash\na:x:1000:1000::/:\nb:x:1001:1001::/:\n"u8, 0xFF, .. "root:x:0:0:root:/root:/bin/sh\na:x:1000:1000::/:\nc:x:1001:1001::/:\n"u8]);
        Save("merged-lines", "three", [.. "a\nb\nc\nd\ne\n"u8, 0xFF, .. "a\nB\nc\nd\ne\n"u8, 0xFF, .. "a\nb\nc\nd\nE\nf\n"u8]);
        using var directory = new TempDirectory();
        var journal = new ConversionJournal { Root = "r0", State = default, MenuFile = InstalledGrub.CustomFile, IsMenuFileNew = true, IsPhysicalRootNew = false };
        journal.Write(directory.Handle, "test");
        Save("conversion", "first", File.ReadAllBytes(directory.At(ConversionJournal.FileName)));
    }

    private void Transfers()
    {
        using var far = new TestStore();
        Digest old = far.Commit("main", FuzzPlace.OldFiles), now = far.Commit("main", FuzzPlace.NewFiles);
        using ObjectStore store = far.Open();
        using var delta = new MemoryStream();
        DeltaTransfer.Make(store, old, now, delta);
        Save("delta", "one-change", delta.ToArray());

        // A pull of the old commit into an empty store asks, and a pull of the new one from here answers.
        using TestStore empty = place.Add();
        (byte[] asked, _) = Talk(place.Old(), empty.Open(), "main");
        Save("link-server", "pull", asked);
        (_, byte[] answered) = Talk(far.Open(), place.Old(), "main");
        place.Reset();
        Save("link-client", "answers", answered);
        int greeting = answered.AsSpan().IndexOf("hacktree store 1"u8) + "hacktree store 1".Length;
        Save("link-server", "push", [.. Encoding.ASCII.GetBytes($"hello 0\npush {old} 4\nmain"), .. answered[greeting..]]);

        byte[] frame = new ZstdSharp.Compressor().Wrap("a frame"u8).ToArray();
        Save("bundle-frame", "short", [7, 0, 0, 0, .. frame]);

        static Descriptor Of(string type, string text) => Descriptor.Of(type, Encoding.ASCII.GetBytes(text));
        var generation = new Generation(Of(MediaType.Pack, "p"), Of(MediaType.Index, "i"), [Of(MediaType.Bundle, "b")]);
        var manifest = new Manifest(Of(MediaType.Commit, "c"), [generation], 1_700_000_000)
        {
            Deltas = [new OfferedDelta(Of(MediaType.Delta, "d"), Digest.Of("f"u8))],
        };
        Save("manifest", "delta", manifest.Encode());
        var layout = Layout.Empty();
        layout.Set("main", Of(MediaType.Manifest, "m"), Digest.Of("c"u8));
        layout.Set("image", Of(MediaType.Manifest, "n"), default);
        Save("layout", "two", layout.Encode());
        byte[] config = """{"architecture":"amd64","os":"linux","config":{"Env":["A=b"],"Cmd":["/bin/sh"]},"rootfs":{"type":"layers","diff_ids":["sha256:0000000000000000000000000000000000000000000000000000000000000001"]},"history":[{"created_by":"x"},{"created_by":"y","empty_layer":true}]}"""u8.ToArray();
        Save("image-config", "one-layer", config);
        var described = Descriptor.Of(ImageType.Config, config);
        string digest = described.DigestText;
        Save("image-manifest", "image", $$"""{"schemaVersion":2,"config":{"mediaType":"{{ImageType.Config}}","digest":"{{digest}}","size":{{config.Length}}},"layers":[{"mediaType":"{{ImageType.GzipLayer}}","digest":"{{digest}}","size":7}]}""");
        Save("image-manifest", "index", $$"""{"schemaVersion":2,"manifests":[{"mediaType":"{{MediaType.Manifest}}","digest":"{{digest}}","size":7,"platform":{"os":"linux","architecture":"amd64","variant":"v2"} }]}""");
        Archive(config);
        Save("login-file", "json", """{"auths":{"h":{"auth":"dTpw"},"https://h/v1/":{"auth":"dTpx"}}}""");
        Save("login-file", "netrc", "machine other login a password b\nmachine h login u password p\ndefault login c password d\n");
        Save("challenge", "bearer", "Bearer realm=\"https://h/token\",service=\"s\",scope=\"repository:x:pull\"\n{\"token\":\"t\"}");
    }

    /// <summary>An archive of docker save with one layer.</summary>
    private void Archive(byte[] config)
    {
        using var directory = new TempDirectory();
        directory.Write("config.json", config);
        directory.Write("layer.tar", FuzzCorpus.Of("tar-import")[0].Bytes);
        directory.Write("manifest.json", """[{"Config":"config.json","RepoTags":["a:latest"],"Layers":["layer.tar"]}]"""u8);
        Tools.Run("tar", "-C", directory.Path, "--format=ustar", "--blocking-factor=1", "-cf", place.At("archive"), "manifest.json", "config.json", "layer.tar").Succeeded();
        Save("image-archive", "docker", File.ReadAllBytes(place.At("archive")));
    }

    private static void Signed()
    {
        byte[] text = "a commit's text\n"u8.ToArray();
        using var keys = new SignKeys();
        var all = new List<SshSignature>();
        foreach (string type in (string[])["ed25519", "ecdsa", "rsa"])
        {
            keys.Make(type, "-t", type);
            all.Add(keys.Sign(type, text));
            Save("signature", type, all[^1].Blob.ToArray());
        }

        Save("signatures", "two", SshArmor.Write([all[0], all[1]], Signatures.MaxLength));
        string trusted = keys.Trust("trusted", ("alice", "ed25519"), ("bob namespaces=\"hacktree,!x*\",valid-after=\"20200101\",valid-before=\"20400101Z\"", "ecdsa"));
        Save("allowed-signers", "two", File.ReadAllBytes(trusted));
        var record = new RefRecord("debian/test", Digest.Of("c"u8), 7, 1, 2_000_000_000) { Cohort = 50, NotBefore = 3 };
        Save("ref-record", "signed", new SignedRecord(record, [keys.Sign("ed25519", record.Encode())]).Encode());
    }

    /// <summary>Pulls from one store to another over two pipes. Returns what was asked and what was answered.</summary>
    private static (byte[] Asked, byte[] Answered) Talk(ObjectStore from, ObjectStore to, string name)
    {
        using var asking = new AnonymousPipeServerStream(PipeDirection.Out);
        using var asked = new AnonymousPipeClientStream(PipeDirection.In, asking.ClientSafePipeHandle);
        using var answering = new AnonymousPipeServerStream(PipeDirection.Out);
        using var answered = new AnonymousPipeClientStream(PipeDirection.In, answering.ClientSafePipeHandle);
        var server = new Thread(() =>
        {
            using (from)
            {
                StoreHost.Run(from, asked, answering, isReadOnly: true, _ => { });
            }
        });
        server.Start();
        using var sent = new Recording(asking);
        using var received = new Recording(answered);
        using (to)
        using (var link = new StoreLink(received, sent, "the other end"))
        {
            link.Greet();
            Pull.Run(to, new LinkSource(link), new PullRequest(name, "main"));
        }

        asking.Dispose();
        server.Join();
        return (sent.Bytes, received.Bytes);
    }

    private sealed class Recording(Stream stream) : Stream
    {
        private readonly MemoryStream bytes = new();

        public byte[] Bytes => bytes.ToArray();

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override int Read(byte[] buffer, int offset, int count)
        {
            int read = stream.Read(buffer, offset, count);
            bytes.Write(buffer, offset, read);
            return read;
        }

        public override void Write(byte[] buffer, int offset, int count)
        {
            stream.Write(buffer, offset, count);
            bytes.Write(buffer, offset, count);
        }

        public override void Flush() => stream.Flush();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();
    }
}
