using System.Text;
using HackTree.Store;
using HackTree.Tests.Store;
using HackTree.Tests.Support;

namespace HackTree.Tests.Fuzz;

/// <summary>
/// Where targets put bytes that production reads from files: a directory, and stores. <see cref="Old"/> has the commit that deltas and pulls of the
/// seeds begin with. All is in memory, where a sync costs nothing.
/// </summary>
public sealed class FuzzPlace : IDisposable
{
    /// <summary>The commit of <see cref="Old"/>: always the same files, so always the same digest.</summary>
    internal static readonly string[] OldFiles = ["etc/conf=one", "etc/same=the same", "usr/large=" + Text(20_000, 'a')];

    /// <summary>The commit after it.</summary>
    internal static readonly string[] NewFiles = ["etc/conf=two", "etc/new=new", "etc/same=the same", "usr/large=" + Text(20_000, 'a') + "and more"];

    private static readonly string? Memory = Directory.Exists("/dev/shm") ? "/dev/shm" : null;

    private readonly TempDirectory directory = new(Memory);
    private readonly List<TestStore> stores = [];
    private ObjectStore? open;
    private TestStore? old;

    /// <summary>The path of a name in the directory.</summary>
    internal string At(string name) => directory.At(name);

    /// <summary>Writes a file in the directory, whose folders are made; returns the path.</summary>
    internal string Write(string name, byte[] bytes)
    {
        string path = At(name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, bytes);
        return path;
    }

    /// <summary>A store that stays open. What is added to it is never published.</summary>
    internal ObjectStore Store => open ??= Add().Open();

    /// <summary>
    /// The store that has the old commit as ref "main", opened anew, because what was attached to it goes only when it is closed. The
    /// stop ends it.
    /// </summary>
    internal ObjectStore Old(CancellationToken stop = default) => ObjectStore.OpenToWrite((old ??= MakeOld()).Path, null, stop);

    /// <summary>Makes the store of <see cref="Old"/> anew, after the new commit came to it.</summary>
    internal void Reset()
    {
        old?.Dispose();
        old = null;
    }

    public void Dispose()
    {
        open?.Dispose();
        old?.Dispose();
        stores.ForEach(store => store.Dispose());
        directory.Dispose();
    }

    private TestStore MakeOld()
    {
        var store = new TestStore(Memory);
        _ = store.Commit("main", OldFiles);
        return store;
    }

    /// <summary>Makes an empty store.</summary>
    internal TestStore Add()
    {
        var store = new TestStore(Memory);
        stores.Add(store);
        return store;
    }

    private static string Text(int length, char first) =>
        new StringBuilder().AppendJoin('\n', Enumerable.Range(0, length / 8).Select(i => $"{(char)(first + (i % 20))}{i:D6}")).ToString();
}
