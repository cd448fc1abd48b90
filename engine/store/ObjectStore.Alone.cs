namespace HackTree.Store;

/// <content>What is done while this process does not have the store's lock as others have it: not at all, or alone.</content>
public sealed partial class ObjectStore
{
    /// <summary>
    /// Runs something that does not use this store and may take long, such as another program. gc may sweep meanwhile. Afterwards only those
    /// commits are sure to be there that a ref, a root or a held build record names. If <paramref name="action"/> throws, this store may only be
    /// disposed of.
    /// </summary>
    public T RunUnlocked<T>(Func<T> action)
    {
        if (Doubt.Unsynced.IsSet)
        {
            // gc would remove the mark.
            Sync();
        }

        Lock.Leave();
        T result = action();
        Lock.Return(OnWait);
        Packs.Forget();
        Blobs.ForgetListed();
        return result;
    }

    /// <summary>
    /// Runs something in a root's turn while no other process uses this store. That turn needs no file, for which a full disk may have no room.
    /// </summary>
    /// <param name="root">The name of the root's record.</param>
    /// <param name="action">What to run.</param>
    public T RunAlone<T>(string root, Func<RootTurn, T> action) => RunAlone(() =>
    {
        using RootTurn turn = Roots.TurnWhileAlone(root);
        return action(turn);
    });

    /// <summary>
    /// Runs something while no other process uses this store. Before it begins, another process may have removed what nothing needs, so that
    /// anything read before may be out of date.
    /// </summary>
    public T RunAlone<T>(Func<T> action)
    {
        RequireWritable();
        Lock.Exclude(OnWait);
        try
        {
            Packs.Forget();
            Blobs.ForgetListed();
            return action();
        }
        finally
        {
            Lock.Share();
        }
    }
}
