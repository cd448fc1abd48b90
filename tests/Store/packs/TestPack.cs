using System.Buffers.Binary;
using System.IO.Hashing;
using System.Text;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using HackTree.Tests.Support;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Tests.Store;

/// <summary>Packs as bytes: made by a writer, given new checksums after a change, opened from memory.</summary>
internal static class TestPack
{
    /// <summary>The bytes of a pack that the writer makes.</summary>
    public static byte[] Write(params IEnumerable<(PackedKind Kind, byte[] Bytes)> objects)
    {
        using var directory = new TempDirectory();
        using var writer = new PackWriter(directory.Handle, "test");
        foreach ((PackedKind kind, byte[] bytes) in objects)
        {
            writer.Add(kind, PackedObject.DigestOf(kind, bytes), bytes);
        }

        Digest name = writer.Complete();
        writer.GiveName(directory.Handle, name);
        byte[] pack = File.ReadAllBytes(directory.At($"{name}.pack"));
        Assert.Equal(Digest.Of(pack), name);
        return pack;
    }

    /// <summary>A tree of one file whose name is given.</summary>
    public static byte[] TreeOf(string name, int xattrBytes = 0)
    {
        var builder = new TreeBuilder();
        byte[] value = Content.Of(xattrBytes);
        byte[] xattrs = xattrBytes == 0 ? [] : XattrSet.Encode([("user.x"u8.ToArray(), value)]);
        builder.Add(new TreeEntry { Kind = EntryKind.Fifo, Name = Encoding.UTF8.GetBytes(name), Metadata = TestStore.Metadata, Xattrs = xattrs });
        return builder.Build().Bytes.ToArray();
    }

    public static byte[] CommitOf(byte[] tree, string body) =>
        new Commit { Tree = Tree.DigestOf(tree), RootMetadata = TestStore.Metadata, Time = 1, Files = 1, ContentBytes = 0, Body = body }.Encode();

    /// <summary>Opens a pack's bytes and reads every object in it. Throws what the reader throws.</summary>
    public static Dictionary<Digest, byte[]> ReadAll(ReadOnlySpan<byte> pack)
    {
        using PackFile file = Open(pack);
        var found = new Dictionary<Digest, byte[]>();
        for (int i = 0; i < file.Count; i++)
        {
            IndexRow row = file.Row(i);
            found.Add(row.Digest, file.ReadBlock(row.Block).AsSpan(row.Offset, row.Length).ToArray());
        }

        return found;
    }

    public static PackFile Open(ReadOnlySpan<byte> pack)
    {
        Assert.Equal(Errno.None, Sys.Open(Sys.WorkingDirectory, "/tmp"u8, OpenFlags.Temporary | OpenFlags.ReadWrite, out SafeFileHandle file, 0x180));
        Assert.Equal(Errno.None, Sys.WriteAt(file, pack, 0));
        return new PackFile(file, default, "test", new Remedy.CheckStore());
    }

    /// <summary>The offset of the table of blocks.</summary>
    public static int TableOffset(ReadOnlySpan<byte> pack) => (int)BinaryPrimitives.ReadInt64LittleEndian(pack[^48..]);

    /// <summary>The offset of the index.</summary>
    public static int IndexOffset(ReadOnlySpan<byte> pack) => (int)BinaryPrimitives.ReadInt64LittleEndian(pack[^40..]);

    /// <summary>
    /// Corrects all checksums of changed bytes, so that a reader can refuse only the changed values. The offsets of blocks, table and index are
    /// those of <paramref name="honest"/>.
    /// </summary>
    public static byte[] Seal(byte[] honest, byte[] changed)
    {
        int table = TableOffset(honest), index = IndexOffset(honest);
        for (int row = table; row < index; row += PackLayout.BlockRowSize)
        {
            BlockRow block = BlockRow.Read(honest.AsSpan(row));
            ulong check = XxHash3.HashToUInt64(changed.AsSpan((int)block.Offset, block.StoredLength));
            BinaryPrimitives.WriteUInt64LittleEndian(changed.AsSpan(row + 16), check);
        }

        Span<byte> footer = changed.AsSpan(changed.Length - PackLayout.FooterSize);
        BinaryPrimitives.WriteUInt64LittleEndian(footer[32..], XxHash3.HashToUInt64(changed.AsSpan(table, changed.Length - PackLayout.FooterSize - table)));
        BinaryPrimitives.WriteUInt64LittleEndian(footer[56..], XxHash3.HashToUInt64(footer[..56]));
        return changed;
    }
}
