using HackTree.Checkout;

namespace HackTree.Cli;

/// <summary>Makes sentences about the names that --consume did not remove.</summary>
internal static class ConsumeText
{
    /// <summary>Sentences about names that stay as they should: they are not in the commit, have changed, or are in use.</summary>
    internal static IEnumerable<string> Notes(ConsumeResult result, string path)
    {
        if (result.LeftOut > 0)
        {
            yield return $"{HumanText.Count(result.LeftOut, "name")} stayed in {path}: not in the commit";
        }

        if (result.Changed > 0)
        {
            yield return $"{Files(result.FirstChanged, result.Changed)} stayed: changed since it was read, and not in the commit as it is now";
        }

        if (result.InUse > 0)
        {
            yield return $"{Files(result.FirstInUse, result.InUse)} stayed: a process has it open for writing";
        }
    }

    /// <summary>Sentences about failures.</summary>
    internal static IEnumerable<string> Failures(ConsumeResult result, string path)
    {
        if (result.FirstFailure is { } failure)
        {
            yield return $"{failure.Message}{(result.Failed > 1 ? $", and {result.Failed - 1} more" : "")}: it stayed, and the commit holds it too";
        }

        if (result.Damaged > 0)
        {
            yield return $"{Files(result.FirstDamaged, result.Damaged)}: somebody wrote to it while it was moved into the store; it stayed as it is now, "
                + "and the commit lacks what was in it: go back to the commit before, or commit the whole tree again";
        }

        if (result.Stranded is { } place)
        {
            yield return $"{path}: something else is there by now; what stayed is in {place}";
        }
    }

    private static string Files(string? first, long count) => count == 1 ? first! : $"{first} and {count - 1} more";
}
