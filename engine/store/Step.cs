using System.Runtime.CompilerServices;

namespace HackTree.Store;

/// <summary>
/// Checks that the program itself takes its steps in order. The checks are in release builds too: a step out of order can lose data, and one check
/// costs less than a system call by far.
/// </summary>
internal static class Step
{
    /// <summary>Throws <see cref="InvalidOperationException"/> with <paramref name="rule"/> unless <paramref name="holds"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Require(bool holds, string rule)
    {
        if (!holds)
        {
            Fail(rule);
        }
    }

    private static void Fail(string rule) => throw new InvalidOperationException(rule);
}
