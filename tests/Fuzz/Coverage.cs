using System.Reflection;
using System.Runtime.InteropServices;
using SharpFuzz.Common;

namespace HackTree.Tests.Fuzz;

/// <summary>
/// Which ways inputs took through assemblies that SharpFuzz instrumented: for each pair of branches taken one after the other, a counter in a map of
/// 64 KiB, which the instrumented code counts up. In assemblies that were not instrumented, nothing is ever new.
/// </summary>
internal sealed class Coverage
{
    private const int Size = 64 * 1024;

    // AFL's classes of counts: a loop that runs nine times is no news after one that ran eight times.
    private static readonly byte[] Classes = [.. Enumerable.Range(0, 256).Select(ClassOf)];

    private readonly byte[] map = new byte[Size];
    private readonly byte[] seen = new byte[Size];

    public Coverage()
    {
        // It is never freed: instrumented code of other threads may count on.
        var pin = GCHandle.Alloc(map, GCHandleType.Pinned);
        typeof(Trace).GetField(nameof(Trace.SharedMem), BindingFlags.Public | BindingFlags.Static)!.SetValue(null, pin.AddrOfPinnedObject());
    }

    /// <summary>The number of pairs of branches that some input took.</summary>
    public int Edges { get; private set; }

    /// <summary>Begins an input.</summary>
    public void Clear()
    {
        Array.Clear(map);
        Trace.PrevLocation = 0;
    }

    /// <summary>Whether the input since <see cref="Clear"/> took a way that no input took before, or one more often.</summary>
    public bool TakeNew()
    {
        bool isNew = false;
        ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(map);
        for (int word = 0; word < words.Length; word++)
        {
            for (int at = word * sizeof(ulong); words[word] != 0 && at < (word + 1) * sizeof(ulong); at++)
            {
                byte taken = Classes[map[at]];
                if ((seen[at] & taken) != taken)
                {
                    Edges += seen[at] == 0 ? 1 : 0;
                    seen[at] |= taken;
                    isNew = true;
                }
            }
        }

        return isNew;
    }


    private static byte ClassOf(int count) => count switch
    {
        0 => 0,
        1 => 1,
        2 => 2,
        3 => 4,
        <= 7 => 8,
        <= 15 => 16,
        <= 31 => 32,
        <= 127 => 64,
        _ => 128,
    };
}
