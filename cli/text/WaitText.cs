using HackTree.Store;

namespace HackTree.Cli;

/// <summary>What is said of a lock that has to be waited for.</summary>
internal static class WaitText
{
    /// <summary>"waiting for hacktree (process 1234) to finish with /objects/lock".</summary>
    internal static string Of(LockWait wait)
    {
        string holders = wait.Holders.Count == 0 ? "another process" : string.Join(", ", wait.Holders.Select(NameOf));
        return $"waiting for {holders} to finish with {wait.Path}";
    }

    private static string NameOf(LockHolder holder) =>
        holder.Program is { } program ? $"{program} (process {holder.Process})" : $"process {holder.Process}";
}
