using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Tests.Checkout;

/// <summary>A directory on a certain filesystem, removed at the end.</summary>
internal sealed class LoopPlace(string filesystem) : IDisposable
{
    public string Path { get; } = Directory.CreateDirectory(System.IO.Path.Combine(filesystem, $"tree-{Guid.NewGuid():N}")).FullName;

    public string At(string name) => System.IO.Path.Combine(Path, name);

    public void Dispose() => TreeRemoval.Remove(Sys.WorkingDirectory, ByteText.FromArgument(Path), Path);
}
