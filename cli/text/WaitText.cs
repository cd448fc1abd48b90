using HackTree.Store;

namespace HackTree.Cli;

/// <summary>What is said of a lock that has to be waited for.</summary>
internal static class WaitText
{
    /// <summary>
    /// "waiting for hacktree (process 1234) to finish with /objects/lock"; or "letting hacktree (process 1234) go first, which waits for
    /// /objects; going on in 30 s at the latest".
    /// </summary>
    internal static string Of(LockWait wait)
    {
        string holders = wait.Holders.Count == 0 ? "another process" : string.Join(", ", wait.Holders.Select(NameOf));
        return wait.Patience is { } patience
            ? $"letting {holders} go first, which waits to have {wait.Path} alone; going on in {patience.TotalSeconds:0} s at the latest"
            : $"waiting for {holders} to finish with {wait.Path}";
    }

    private static string NameOf(LockHolder holder) =>
        holder.Program is { } program ? $"{program} (process {holder.Process})" : $"process {holder.Process}";
}
