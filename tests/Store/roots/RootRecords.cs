using HackTree.Store;

namespace HackTree.Tests.Store;

/// <summary>Writes records of roots as the program does: by the turn of the root's name.</summary>
internal static class RootRecords
{
    public static void Record(this ObjectStore store, string name, RootEntry record)
    {
        using RootTurn turn = store.Roots.TakeTurn(name, name);
        if (record is BuildRecord build)
        {
            turn.Write(build, inOrder: false);
        }
        else
        {
            turn.Write((RootRecord)record);
        }
    }
}
