namespace HackTree.Checkout;

/// <summary>A file or symbolic link of a repository of OSTree, open. Nothing of it was compared with its checksum yet.</summary>
/// <param name="Header">Its metadata.</param>
/// <param name="Size">The size that its content should have.</param>
/// <param name="Content">Its content.</param>
internal sealed record OstreeFile(OstreeHeader Header, long Size, Stream Content) : IDisposable
{
    public void Dispose() => Content.Dispose();
}
