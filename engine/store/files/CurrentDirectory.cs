namespace HackTree.Store;

/// <summary>
/// The directory that a relative path begins in. A shell may stand in a root that was replaced or removed: then relative paths lead nowhere, and "."
/// is an empty directory without a name.
/// </summary>
public static class CurrentDirectory
{
    /// <summary>Throws <see cref="StoreException"/> if the path is relative and the current directory is gone.</summary>
    public static void RequireFor(string path)
    {
        if (path.StartsWith('/'))
        {
            return;
        }

        try
        {
            _ = Environment.CurrentDirectory;
        }
        catch (FileNotFoundException)
        {
            throw new StoreException(
                $"{path}: the current directory was removed or replaced, so a relative path leads nowhere; change to a directory that is there");
        }
    }
}
