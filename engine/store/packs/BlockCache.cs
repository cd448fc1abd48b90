namespace HackTree.Store;

/// <summary>
/// The blocks of packs that were unpacked last. Their buffers are used again and who reads gets a copy, for memory that is new
/// costs a page fault every 4 KiB: more than unpacking into it. Thread-safe; two that want one block unpack it once.
/// </summary>
internal sealed class BlockCache
{
    private const int SlotCount = 64;
    private const int LargestKept = 4 * PackLayout.BlockTarget;

    private readonly Slot[] slots = [.. Enumerable.Range(0, SlotCount).Select(_ => new Slot())];

    /// <summary>Reads an object's bytes, <see cref="IndexRow.Length"/> of them. Throws <see cref="CorruptException"/> where its block is damaged.</summary>
    internal void Read(PackFile file, in IndexRow row, Span<byte> bytes)
    {
        int rawLength = file.RawLength(row.Block);
        if (rawLength == row.Length)
        {
            // Alone in its block, and read once.
            file.ReadBlock(row.Block, bytes);
        }
        else if (rawLength > LargestKept)
        {
            file.ReadBlock(row.Block).AsSpan(row.Offset, row.Length).CopyTo(bytes);
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

            // What fails to unpack leaves the buffer as nobody's.
            file = null;
            Raw = Raw.Length < rawLength ? GC.AllocateUninitializedArray<byte>(Math.Max(rawLength, PackLayout.BlockTarget + (PackLayout.BlockTarget / 4))) : Raw;
            wanted.ReadBlock(wantedBlock, Raw.AsSpan(0, rawLength));
            (file, block) = (wanted, wantedBlock);
        }
    }
}
