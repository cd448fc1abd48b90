namespace HackTree.Store;

/// <summary>Goes through the 256 fan-out directories of a store's objects, several at a time.</summary>
internal static class FanWalk
{
    /// <summary>
    /// Does the work of <paramref name="makeWorker"/> for each directory. The function is called once on each thread, so that each has its own
    /// buffers. Rethrows the first exception. A directory that is missing holds nothing: programs that copy a store may leave out empty ones.
    /// </summary>
    internal static void Run(ObjectStore store, Func<Action<byte>> makeWorker)
    {
        var work = new WorkStack<byte>(store.Stop);
        for (int fan = byte.MaxValue; fan >= 0; fan--)
        {
            if (store.Blobs.HasFan((byte)fan))
            {
                work.Push((byte)fan);
            }
        }

        work.RunReaders(makeWorker);
    }
}
