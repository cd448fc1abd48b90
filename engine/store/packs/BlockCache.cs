namespace HackTree.Store;

/// <summary>
/// Caches the pack blocks that were unpacked last. Buffers are reused and callers get copies, because fresh memory costs a page fault for
/// every 4 KiB, which is more than unpacking into it. Thread-safe. When two threads want one block, it is unpacked once.
/// </summary>
internal sealed class BlockCache
{
    private const int SlotCount = 64;

    private readonly Slot[] slots = [.. Enumerable.Range(0, SlotCount).Select(_ => new Slot())];

    /// <summary>
    /// Reads an object's bytes, <see cref="IndexRow.Length"/> of them. Throws <see cref="CorruptException"/> if its block is damaged.
    /// </summary>
    internal void Read(PackFile file, in IndexRow row, Span<byte> bytes)
    {
        int rawLength = file.RawLength(row.Block);
        if (rawLength == row.Length)
        {
            // The object is alone in its block, so caching the block would not help another object.
            file.ReadBlock(row.Block, bytes);
        }
        else
        {
            Slot slot = slots[(uint)(file.Name.GetHashCode() + row.Block) % SlotCount];
            lock (slot)
            {
                slot.Load(file, row.Block, rawLength);
                slot.Raw.AsSpan(row.Offset, row.Length).CopyTo(bytes);
            }
        }
    }

    private sealed class Slot
    {
        private PackFile? file;
        private int block;

        internal byte[] Raw { get; private set; } = [];

        internal void Load(PackFile wanted, int wantedBlock, int rawLength)
        {
            if (file == wanted && block == wantedBlock)
            {
                return;
            }

            // If unpacking fails, the buffer belongs to no block.
            file = null;
            Raw = Raw.Length < rawLength
                ? GC.AllocateUninitializedArray<byte>(Math.Max(rawLength, PackLayout.BlockTarget + (PackLayout.BlockTarget / 4)))
                : Raw;
            wanted.ReadBlock(wantedBlock, Raw.AsSpan(0, rawLength));
            (file, block) = (wanted, wantedBlock);
        }
    }
}
