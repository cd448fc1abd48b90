namespace HackTree.Store;

/// <summary>Memory for one tree, for callers that read many trees and keep none. Reading the next tree overwrites the memory.</summary>
public sealed class TreeBuffer
{
    private byte[] bytes = [];

    internal Memory<byte> Take(int length)
    {
        if (bytes.Length < length)
        {
            uint capacity = System.Numerics.BitOperations.RoundUpToPowerOf2((uint)length);
            bytes = GC.AllocateUninitializedArray<byte>((int)Math.Min(Array.MaxLength, capacity));
        }

        return bytes.AsMemory(0, length);
    }
}
