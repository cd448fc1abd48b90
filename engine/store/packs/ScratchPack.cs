using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>
/// Has trees that only this process can read, and only until the store is closed, such as the trees of a directory that is compared with a
/// commit. They cannot be published.
/// </summary>
public sealed class ScratchPack : IDisposable
{
    /// <summary>Starts a pack in the store, or in the directory for temporary files if this user may not write to the store.</summary>
    public ScratchPack(ObjectStore store)
    {
        Store = store;
        Pack = NewPack(store.Packs);
    }

    /// <summary>The store through which the trees can be read, together with its own trees.</summary>
    public ObjectStore Store { get; }

    /// <summary>The trees.</summary>
    public PackWriter Pack { get; }

    /// <summary>Ends the writing. From now on the trees can be read. Called once.</summary>
    public void Attach()
    {
        if (Pack.Count > 0)
        {
            Store.Packs.Attach(Pack);
        }
    }

    /// <summary>
    /// Ends the writing. Returns the whole pack's file and the SHA-256 of its bytes, for a caller who sends the pack elsewhere and closes the file.
    /// Called once.
    /// </summary>
    public (SafeFileHandle File, Digest Name) Complete()
    {
        (SafeFileHandle file, Digest name, _) = Pack.OpenUnnamed();
        return (file, name);
    }

    /// <summary>Closes the file. After <see cref="Attach"/> the trees can still be read.</summary>
    public void Dispose() => Pack.Dispose();

    private static PackWriter NewPack(Packs packs)
    {
        try
        {
            return packs.NewPack();
        }
        catch (LinuxException e) when (e.Errno is Errno.EACCES or Errno.EROFS)
        {
            using SafeFileHandle place = ScratchFile.OpenElsewhere(out string elsewhere);
            return new PackWriter(place, elsewhere);
        }
    }
}
