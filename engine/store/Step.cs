using System.Runtime.CompilerServices;

namespace HackTree.Store;

/// <summary>
/// Checks that the program takes its steps in order. The checks are in release builds too, because a step out of order can lose data, and a
/// check costs far less than a system call.
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
