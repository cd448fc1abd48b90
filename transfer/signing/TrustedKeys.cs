using System.Text;
using HackTree.Linux;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Transfer;

/// <summary>
/// The keys whose signatures count: those in the files of /etc/hacktree/trusted.d, or in a file that a user names. What
/// <c>ssh-keygen -Y verify</c> says of a key and a time, this says too.
/// </summary>
/// <param name="keys">The keys.</param>
/// <param name="source">The file or directory that they are from.</param>
public sealed class TrustedKeys(IReadOnlyList<TrustedKey> keys, string source)
{
    /// <summary>The directory of the machine's trusted keys.</summary>
    public const string Folder = "/etc/hacktree/trusted.d";

    private const int MaxLength = 1024 * 1024;

    /// <summary>Where the keys are from, for messages.</summary>
    public string Source => source;

    /// <summary>The number of keys.</summary>
    public int Count => keys.Count;

    /// <summary>
    /// Reads the keys in a file, or the machine's if there is none. Throws <see cref="StoreException"/> if a file is wrong.
    /// </summary>
    public static TrustedKeys Read(string? file) => file is null ? ReadFolder(Folder) : new TrustedKeys([.. AllowedSigners.Parse(Text(file), file)], file);

    /// <summary>
    /// Reads the files in a directory. Only names of letters, digits, '_' and '-' count, as for run-parts(8), so that an editor's or a package manager's
    /// copy of an old file trusts nobody.
    /// </summary>
    public static TrustedKeys ReadFolder(string folder)
    {
        string[] files = Directory.Exists(folder) ? Directory.GetFiles(folder) : [];
        Array.Sort(files, StringComparer.Ordinal);
        return new TrustedKeys([.. files.Where(file => IsCounted(Path.GetFileName(file))).SelectMany(file => AllowedSigners.Parse(Text(file), file))], folder);
    }

    /// <summary>
    /// The line that trusts a key for a purpose at a time; null if none does. Then <paramref name="fault"/> says why, if a line has the key.
    /// </summary>
    internal TrustedKey? Find(SshKey key, string space, long now, out string? fault)
    {
        fault = null;
        foreach (TrustedKey line in keys)
        {
            if (line.Key.Equals(key))
            {
                string? lineFault = line.FaultAt(now, space);
                if (lineFault is null)
                {
                    return line;
                }

                fault ??= $"{line.Place}: {lineFault}";
            }
        }

        return null;
    }

    private static bool IsCounted(string name) => name.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-');

    private static string Text(string file)
    {
        using SafeFileHandle handle = OpenPath.File(file);
        Sys.Stat(handle, out FileStatus status).ThrowIfFailed("statx", file);
        using var stream = new FileStream(handle, FileAccess.Read, bufferSize: 0);
        byte[] bytes = new byte[MaxLength + 1];
        int length = status.Type == FileType.Directory
            ? throw new LinuxException(Errno.EISDIR, "read", file)
            : stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
        return length <= MaxLength ? Encoding.UTF8.GetString(bytes, 0, length) : throw new StoreException($"{file}: too long for a list of keys");
    }
}
