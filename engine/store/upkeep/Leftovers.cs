using HackTree.Linux;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>Directories that interrupted commands left.</summary>
public static class Leftovers
{
    /// <summary>
    /// Whether gc may have directories to remove: there is a build record, or a directory in tmp/. A build record may also be that of a command at work.
    /// </summary>
    public static bool MayBeThere(ObjectStore store) => store.Roots.Names().Exists(Roots.IsPartial) || HasDirectory(store.Temporary, $"{store.Path}/tmp");

    private static bool HasDirectory(SafeFileHandle directory, string subject)
    {
        using SafeFileHandle listing = DirectoryReader.Reopen(directory, subject);
        var reader = new DirectoryReader();
        reader.Start(listing, subject);
        while (reader.Next())
        {
            if (reader.FindType() == FileType.Directory)
            {
                return true;
            }
        }

        return false;
    }
}
