using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>
/// Trees that only this process can read, and only until the store is closed, such as those of a directory that is compared with a commit. There is
/// no way to publish them.
/// </summary>
public sealed class ScratchPack : IDisposable
{
    /// <summary>Starts a pack in the store or, where this user may not write there, among temporary files.</summary>
    public ScratchPack(ObjectStore store)
    {
        Store = store;
        Pack = NewPack(store.Packs);
    }

    /// <summary>The store beside whose trees these can be read.</summary>
    public ObjectStore Store { get; }

    /// <summary>The trees.</summary>
    public PackWriter Pack { get; }

    /// <summary>Ends the writing: from now on the trees can be read. Done once.</summary>
    public void Attach()
    {
        if (Pack.Count > 0)
        {
            Store.Packs.Attach(Pack);
        }
    }

    /// <summary>Closes the file. Trees that were attached can be read on.</summary>
    public void Dispose() => Pack.Dispose();

    private static PackWriter NewPack(Packs packs)
    {
        try
        {
            return packs.NewPack();
        }
        catch (LinuxException e) when (e.Errno is Errno.EACCES or Errno.EROFS)
        {
            string elsewhere = Path.GetTempPath();
            Sys.Open(Sys.WorkingDirectory, ByteText.FromArgument(elsewhere), OpenFlags.Path | OpenFlags.Directory, out SafeFileHandle place).ThrowIfFailed("openat", elsewhere);
            using (place)
            {
                return new PackWriter(place, elsewhere);
            }
        }
    }
}
