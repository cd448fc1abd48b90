using HackTree.Tests.Crash;
using HackTree.Tests.Support;

namespace HackTree.Tests.Checkout;

/// <summary>Compares a root with a tree, and with a full checkout of its commit.</summary>
internal static class RootComparison
{
    /// <summary>Fails unless the root is that tree, and name by name what a full checkout makes: of regular files, the same inodes.</summary>
    public static void RequireSame(PhysicalRoot root, SortedDictionary<string, string> tree, string revision, string name)
    {
        Snapshot.AssertSame(tree, Snapshot.Of(root.At(name)));
        root.Ok("checkout", revision, root.At("full"));
        Assert.Equal(Listing(root.At("full")), Listing(root.At(name)));
        MakeRemovable(root.At("full"));
        Tools.Run("rm", "-rf", root.At("full"), root.At("objects/roots/full.json")).Succeeded();
    }

    /// <summary>Lets an ordinary user remove what is below a directory. Files keep their modes: they are the store's.</summary>
    public static void MakeRemovable(string path) => Tools.Run("find", path, "-type", "d", "-exec", "chmod", "u+w", "{}", "+").Succeeded();

    /// <summary>Every name with its inode (of regular files), type, mode, owner, times, target and attributes.</summary>
    private static string Listing(string path)
    {
        string list = Tools.Run("sh", "-c", $"cd {path} && find . -type f -printf '%p %i %m %U %G %T@\\n' -o -printf '%p %y %m %U %G %T@ %l\\n' | sort").Succeeded();
        string attributes = Tools.Run("sh", "-c", $"cd {path} && find . -print0 | sort -z | xargs -0 getfattr -hd -m - -e hex").Succeeded();
        return list + attributes;
    }
}
