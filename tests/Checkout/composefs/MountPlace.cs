using HackTree.Checkout;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using HackTree.Tests.Support;

namespace HackTree.Tests.Checkout;

/// <summary>A store, and a directory beside it on which commits are mounted. Ends the mounts.</summary>
internal sealed class MountPlace : IDisposable
{
    private readonly StorePlace place;

    public MountPlace(string parent)
    {
        Assert.SkipUnless(Sys.IsRoot, "only root can mount");
        place = new StorePlace(parent);
        Directory.CreateDirectory(At("mnt"));
    }

    public ObjectStore Store => place.Store;

    public string At(string name) => place.At(name);

    public Digest Commit(string name) => place.Commit(name);

    public MountedImage Mount(Digest commit, ImageMountOptions? options = null) => ImageMount.Make(Store, commit, At("mnt"), options ?? new ImageMountOptions());

    public void RequireSound() => place.RequireSound();

    public void Dispose()
    {
        while (Tools.Run("umount", At("mnt")).ExitCode == 0)
        {
        }

        place.Dispose();
    }
}
