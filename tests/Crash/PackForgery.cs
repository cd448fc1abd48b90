using System.Buffers.Binary;
using System.Text;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Tests.Crash;

/// <summary>Packs that nobody's program would write, put into a store as a careless copy from elsewhere might.</summary>
internal sealed class PackForgery : IDisposable
{
    private readonly string store;
    private readonly SafeFileHandle packs;
    private readonly PackWriter writer;

    public PackForgery(string store)
    {
        this.store = store;
        Sys.Open(Sys.WorkingDirectory, Encoding.UTF8.GetBytes($"{store}/packs"), OpenFlags.Directory, out packs).ThrowIfFailed("openat", store);
        writer = new PackWriter(packs, "forgery");
    }

    /// <summary>A digest that is nobody's.</summary>
    public static Digest Invented(byte number) => new([.. Enumerable.Repeat(number, Digest.Size)]);

    /// <summary>An entry's bytes, without asking whether a tree may hold it.</summary>
    public static byte[] Entry(EntryKind kind, string name, byte[] payload, byte[]? xattrs = null, string target = "")
    {
        byte[] nameBytes = Encoding.Latin1.GetBytes(name);
        byte[] head = new byte[24];
        head[0] = (byte)kind;
        head[1] = (byte)nameBytes.Length;
        BinaryPrimitives.WriteUInt16LittleEndian(head.AsSpan(2), kind == EntryKind.Symlink ? (ushort)0x1FF : (ushort)0x1ED);
        BinaryPrimitives.WriteInt32LittleEndian(head.AsSpan(12), xattrs?.Length ?? 0);
        return [.. head, .. payload, .. nameBytes, .. xattrs ?? [], .. Encoding.Latin1.GetBytes(target)];
    }

    public static byte[] File(string name, long size, Digest digest)
    {
        byte[] payload = new byte[8 + Digest.Size];
        BinaryPrimitives.WriteInt64LittleEndian(payload, size);
        digest.CopyTo(payload.AsSpan(8));
        return Entry(EntryKind.Regular, name, payload);
    }

    public static byte[] Directory(string name, Digest digest)
    {
        byte[] payload = new byte[Digest.Size];
        digest.CopyTo(payload);
        return Entry(EntryKind.Directory, name, payload);
    }

    public static byte[] Symlink(string name, string target) => Entry(EntryKind.Symlink, name, BitConverter.GetBytes(target.Length), null, target);

    public static byte[] Tree(uint count, params byte[][] entries) => [.. BitConverter.GetBytes(count), .. entries.SelectMany(entry => entry)];

    public Digest AddTree(byte[] bytes)
    {
        Digest digest = HackTree.Model.Tree.DigestOf(bytes);
        writer.Add(PackedKind.Tree, digest, bytes);
        return digest;
    }

    /// <summary>Adds bytes under a digest that is not theirs.</summary>
    public void AddAs(Digest digest, PackedKind kind, byte[] bytes) => writer.Add(kind, digest, bytes);

    public static byte[] CommitBytes(Digest tree, params Digest[] parents) =>
        new Commit { Tree = tree, RootMetadata = new FileMetadata(0x1ED, 0, 0, 0), Parents = [.. parents], Time = 1, Files = 0, ContentBytes = 0 }.Encode();

    public Digest AddCommit(Digest tree)
    {
        byte[] bytes = CommitBytes(tree);
        writer.Add(PackedKind.Commit, Commit.DigestOf(bytes), bytes);
        return Commit.DigestOf(bytes);
    }

    /// <summary>Puts the pack into the store, and a ref that names the commit.</summary>
    public void Publish(string refName, Digest commit)
    {
        writer.GiveName(packs, writer.Complete());
        SetRef(store, refName, commit);
    }

    public static void SetRef(string store, string refName, Digest commit) => System.IO.File.WriteAllText($"{store}/refs/{refName}", $"{commit}\n");

    public void Dispose()
    {
        writer.Dispose();
        packs.Dispose();
    }
}
