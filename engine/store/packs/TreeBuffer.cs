namespace HackTree.Store;

/// <summary>Memory for one tree, for those who read many and keep none: the next that is read into it overwrites it.</summary>
public sealed class TreeBuffer
{
    private byte[] bytes = [];

    internal Memory<byte> Take(int length)
    {
        if (bytes.Length < length)
        {
            bytes = GC.AllocateUninitializedArray<byte>((int)Math.Min(Array.MaxLength, System.Numerics.BitOperations.RoundUpToPowerOf2((uint)length)));
        }

        return bytes.AsMemory(0, length);
    }
}
