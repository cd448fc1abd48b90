using System.Buffers.Binary;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Checkout;

/// <summary>This file writes the bytes, once every inode has its place.</summary>
internal sealed partial class ImageWriter
{
    private const uint HeaderMagic = 0xD078629A;
    private const uint ErofsMagic = 0xE0F5E1E2;
    private const uint HasAcls = 1;
    private const uint KeepsTimes = 2, HasNameFilters = 4;
    private const byte BlockBits = 12;

    // The entries of the block that is being made.
    private readonly List<(int Inode, int NameLength, byte Type)> block = [];
    private readonly byte[] blockNames = new byte[ErofsLayout.BlockSize];
    private int blockUsed;

    private Digest WriteAll(in TreeEntry top, ContentWriter receive)
    {
        long nextBlock = BlocksStart / ErofsLayout.BlockSize;
        var output = new ImageOutput(BlocksStart + (blocks * ErofsLayout.BlockSize), receive);
        WriteHeaders(output);
        Walk(top, (in entry, number, directory, in inode, start) =>
        {
            _ = output.Zeros((int)(start - output.Position));
            WriteInode(output, entry, number, directory, inode, nextBlock);
            nextBlock += inode.Blocks;
        });
        output.Align(ErofsLayout.SlotSize);
        shared.Write(output);
        output.Align(ErofsLayout.BlockSize);
        Walk(top, (in entry, number, directory, in inode, start) => WriteBlocks(output, entry, directory, inode));
        return output.Finish();
    }

    private void WriteHeaders(ImageOutput output)
    {
        Span<byte> header = output.Zeros(ErofsLayout.HeaderSize);
        BinaryPrimitives.WriteUInt32LittleEndian(header, HeaderMagic);
        BinaryPrimitives.WriteUInt32LittleEndian(header[4..], 1);
        BinaryPrimitives.WriteUInt32LittleEndian(header[8..], hasAcls ? HasAcls : 0);

        // Version 1 of composefs differs from version 0 only where there are devices 0:0. mkcomposefs says the lower one that fits.
        BinaryPrimitives.WriteUInt32LittleEndian(header[12..], hasWhiteouts ? 1u : 0);
        _ = output.Zeros(ErofsLayout.SuperblockStart - ErofsLayout.HeaderSize);
        Span<byte> superblock = output.Zeros(ErofsLayout.SuperblockSize);
        BinaryPrimitives.WriteUInt32LittleEndian(superblock, ErofsMagic);
        BinaryPrimitives.WriteUInt32LittleEndian(superblock[8..], KeepsTimes | HasNameFilters);
        superblock[12] = BlockBits;
        BinaryPrimitives.WriteUInt16LittleEndian(superblock[14..], (ushort)nids[0]);
        BinaryPrimitives.WriteInt64LittleEndian(superblock[16..], inodes);
        BinaryPrimitives.WriteInt64LittleEndian(superblock[24..], buildTime);
        BinaryPrimitives.WriteUInt32LittleEndian(superblock[36..], (uint)((BlocksStart / ErofsLayout.BlockSize) + blocks));
        BinaryPrimitives.WriteUInt32LittleEndian(superblock[44..], (uint)(inodesEnd / ErofsLayout.BlockSize));
    }

    private void WriteInode(ImageOutput output, in TreeEntry entry, int number, int directory, in ImageInode inode, long firstBlock)
    {
        inode.WriteHead(output.Zeros(inode.HeadSize), entry, number, firstBlock);
        if (inode.AttributesSize > 0)
        {
            WriteAttributes(output.Zeros(inode.AttributesSize), inode.SharedCount);
        }

        if (directory >= 0)
        {
            WriteEntries(output, directory, inode, toBlocks: false);
        }
        else if (inode.HasChunks)
        {
            output.Zeros(inode.Tail).Fill(0xFF);
        }
        else if (inode.Tail > 0)
        {
            output.Append(entry.Kind == EntryKind.Symlink ? entry.Target : source.ContentOf(entry)[^inode.Tail..]);
        }
    }

    private void WriteAttributes(Span<byte> target, int sharedCount)
    {
        uint filter = uint.MaxValue;
        target[4] = (byte)sharedCount;
        Span<byte> sharedOnes = target.Slice(ErofsLayout.AttributesHeader, sharedCount * sizeof(uint));
        Span<byte> others = target[(ErofsLayout.AttributesHeader + sharedOnes.Length)..];
        for (int i = 0; i < attributes.Count; i++)
        {
            ReadOnlySpan<byte> name = attributes.Name(i), value = attributes.Value(i);
            filter &= ~ErofsLayout.FilterBit(name);
            if (!sharedOnes.IsEmpty && shared.TryFind(attributes, i, out uint offset))
            {
                BinaryPrimitives.WriteUInt32LittleEndian(sharedOnes, (uint)(((inodesEnd % ErofsLayout.BlockSize) + offset) / sizeof(uint)));
                sharedOnes = sharedOnes[sizeof(uint)..];
            }
            else
            {
                ErofsLayout.WriteAttribute(others, name, value);
                others = others[ErofsLayout.AttributeSize(name, value.Length)..];
            }
        }

        BinaryPrimitives.WriteUInt32LittleEndian(target, filter);
    }

    private void WriteBlocks(ImageOutput output, in TreeEntry entry, int directory, in ImageInode inode)
    {
        if (inode.Blocks == 0)
        {
            return;
        }

        if (directory >= 0)
        {
            WriteEntries(output, directory, inode, toBlocks: true);
        }
        else if (inode.HasChunks)
        {
            output.Zeros(ErofsLayout.BlockSize).Fill(0xFF);
        }
        else
        {
            ReadOnlySpan<byte> content = entry.Kind == EntryKind.Symlink ? entry.Target : source.ContentOf(entry);
            output.Append(content[..Math.Min(content.Length, inode.Blocks * ErofsLayout.BlockSize)]);
            output.Align(ErofsLayout.BlockSize);
        }
    }

    /// <summary>Writes the entries of a directory: those in whole blocks, or those in the tail.</summary>
    private void WriteEntries(ImageOutput output, int number, in ImageInode inode, bool toBlocks)
    {
        ImageDirectory directory = directories[number];
        int next = directory.FirstChild, written = 0;
        var entries = new DottedEntries(TreeOf(number));
        while (entries.MoveNext())
        {
            TreeEntry entry = entries.Current;
            if (blockUsed + (block.Count * ErofsLayout.EntrySize) + ErofsLayout.EntrySize + entry.Name.Length > ErofsLayout.BlockSize)
            {
                EndBlock(output, isWritten: toBlocks, ErofsLayout.BlockSize);
                written++;
            }

            int target = !entries.IsDots ? next++ : entry.Name.Length == 1 ? directory.Inode : directories[directory.Parent].Inode;
            EntryKind kind = ImageInode.KindOf(entry, IsAdded(number, entry));
            block.Add((target, entry.Name.Length, ErofsLayout.TypeOf(kind)));
            entry.Name.CopyTo(blockNames.AsSpan(blockUsed));
            blockUsed += entry.Name.Length;
        }

        bool isTail = written == inode.Blocks;
        EndBlock(output, isWritten: isTail != toBlocks, isTail ? 1 : ErofsLayout.BlockSize);
    }

    private void EndBlock(ImageOutput output, bool isWritten, int alignment)
    {
        if (isWritten)
        {
            int heads = block.Count * ErofsLayout.EntrySize;
            Span<byte> target = output.Zeros((int)ErofsLayout.RoundUp(heads + blockUsed, alignment));
            blockNames.AsSpan(0, blockUsed).CopyTo(target[heads..]);
            foreach ((int inode, int nameLength, byte type) in block)
            {
                BinaryPrimitives.WriteUInt64LittleEndian(target, nids[inode]);
                BinaryPrimitives.WriteUInt16LittleEndian(target[8..], (ushort)heads);
                target[10] = type;
                target = target[ErofsLayout.EntrySize..];
                heads += nameLength;
            }
        }

        block.Clear();
        blockUsed = 0;
    }
}
