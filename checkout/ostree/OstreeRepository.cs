using System.Buffers.Binary;
using System.IO.Compression;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Checkout;

/// <summary>How a repository of OSTree keeps its files.</summary>
internal enum OstreeMode
{
    /// <summary>Each is an inode with its own metadata.</summary>
    Bare,

    /// <summary>As bare, but the metadata is in the attribute user.ostreemeta, and symbolic links are files.</summary>
    BareUser,

    /// <summary>As bare, with no owners and attributes.</summary>
    BareUserOnly,

    /// <summary>Each is one stream: a header, then the compressed content.</summary>
    Archive,
}

/// <summary>
/// Reads a repository of the program `ostree`. Nothing in the repository is trusted: each object is compared with the SHA-256 in its name before
/// it is used, and no symbolic link is followed.
/// </summary>
internal sealed class OstreeRepository : IDisposable
{
    // OSTree's own limit (OSTREE_MAX_METADATA_SIZE).
    private const int MaxMetadata = 128 * 1024 * 1024;
    private const int MaxConfig = 1024 * 1024;
    private const int MaxHeader = 16 * 1024 * 1024;
    private const int MaxTarget = 4095;
    private const int Frame = 8;

    private readonly SafeFileHandle top;
    private readonly Xattrs xattrs = new();

    private OstreeRepository(string path, SafeFileHandle top, OstreeMode mode) => (Path, this.top, Mode) = (path, top, mode);

    internal string Path { get; }

    internal OstreeMode Mode { get; }

    /// <summary>Opens a repository. Throws <see cref="StoreException"/> for a directory that is none, or of a kind that is not known.</summary>
    internal static OstreeRepository Open(string path)
    {
        Errno errno = Sys.Open(Sys.WorkingDirectory, ByteText.FromArgument(path), OpenFlags.ReadOnly | OpenFlags.Directory, out SafeFileHandle top);
        if (errno is Errno.ENOENT or Errno.ENOTDIR)
        {
            throw new StoreException($"{path}: no such directory; a repository of OSTree is one that has objects/ and a file config");
        }

        errno.ThrowIfFailed("openat", path);
        try
        {
            byte[] config = TryReadWhole(top, "config"u8, $"{path}/config", MaxConfig)
                ?? throw new StoreException($"{path}: it has no file config, so it is no repository of OSTree");
            return new OstreeRepository(path, top, ModeOf(path, System.Text.Encoding.Latin1.GetString(config)));
        }
        catch
        {
            top.Dispose();
            throw;
        }
    }

    /// <summary>The commit that a ref names, or "REMOTE:REF", or a checksum; each ^ behind it means the parent.</summary>
    internal Digest Resolve(string text)
    {
        string name = text.TrimEnd('^');
        Digest commit = ResolveName(name)
            ?? throw new StoreException($"{Path}: '{name}' is no ref and no commit there; `ostree refs --repo={Path}` lists the refs");
        for (int up = text.Length - name.Length; up > 0; up--)
        {
            commit = ReadCommit(commit).Parent;
            if (commit.IsNone)
            {
                throw new StoreException($"{Path}: '{text}' goes further back than there are commits");
            }
        }

        return commit;
    }

    internal OstreeCommit ReadCommit(Digest checksum) => Parse(checksum, "commit", bytes => OstreeCommit.Parse(checksum, bytes));

    internal bool HasCommit(Digest checksum) => Sys.Stat(top, NameOf(checksum, "commit"), out _) == Errno.None;

    /// <summary>Reads an object that is not a file's, and gives what <paramref name="parse"/> makes of it.</summary>
    internal T Parse<T>(Digest checksum, string kind, Func<byte[], T> parse)
    {
        byte[] bytes = TryReadWhole(top, NameOf(checksum, kind), Subject(checksum, kind), MaxMetadata) ?? throw Missing(checksum, kind);
        if (Digest.Of(bytes) != checksum)
        {
            throw Wrong(checksum, kind);
        }

        try
        {
            return parse(bytes);
        }
        catch (FormatException)
        {
            throw Fault(checksum, kind, $"it is no {kind} of OSTree");
        }
    }

    /// <summary>Opens the object of a file.</summary>
    internal OstreeFile OpenFile(Digest checksum)
    {
        try
        {
            return Mode == OstreeMode.Archive ? OpenArchived(checksum) : OpenBare(checksum);
        }
        catch (FormatException)
        {
            throw Fault(checksum, Kind, "it is no file of OSTree");
        }
    }

    /// <summary>The failure of an object that is wrong.</summary>
    internal CorruptException Fault(Digest checksum, string kind, string fault) => new(Subject(checksum, kind), fault, remedy: null);

    /// <summary>The failure of an object that has another checksum than its name.</summary>
    internal CorruptException Wrong(Digest checksum, string kind) =>
        Fault(checksum, kind, "it is not what its name says, so the repository is damaged; `ostree fsck` there tells what else is");

    /// <summary>What the names of files' objects end in.</summary>
    internal string Kind => Mode == OstreeMode.Archive ? "filez" : "file";

    public void Dispose() => top.Dispose();

    private static OstreeMode ModeOf(string path, string config)
    {
        string[] lines = [.. config.Split('\n').Select(line => line.Replace(" ", "", StringComparison.Ordinal).Trim())];
        string mode = lines.LastOrDefault(line => line.StartsWith("mode=", StringComparison.Ordinal))?["mode=".Length..] ?? "bare";
        return mode switch
        {
            "bare" => OstreeMode.Bare,
            "bare-user" => OstreeMode.BareUser,
            "bare-user-only" => OstreeMode.BareUserOnly,
            "archive" or "archive-z2" => OstreeMode.Archive,
            _ => throw new StoreException($"{path}: a repository of the mode {mode} cannot be read; `ostree pull-local` makes one of the mode archive of it"),
        };
    }

    private static byte[]? TryReadWhole(SafeFileHandle directory, ReadOnlySpan<byte> name, string subject, int maxLength)
    {
        Errno errno = Sys.OpenBeneath(directory, name, OpenFlags.ReadOnly | OpenFlags.NonBlocking, out SafeFileHandle file);
        if (errno == Errno.ENOENT)
        {
            return null;
        }

        if (errno is not (Errno.None or Errno.ELOOP or Errno.ENXIO))
        {
            throw new LinuxException(errno, "openat2", subject);
        }

        using (file)
        {
            FileStatus status = default;
            bool isRegular = errno == Errno.None && Sys.Stat(file, out status) == Errno.None && status.Type == FileType.Regular;
            if (!isRegular || status.Size > maxLength)
            {
                throw new CorruptException(subject, isRegular ? $"it has more than {maxLength} bytes" : "it is no regular file", remedy: null);
            }

            byte[] bytes = new byte[status.Size];
            Sys.ReadAt(file, bytes, 0, out int count).ThrowIfFailed("pread", subject);
            return bytes[..count];
        }
    }

    private Digest? ResolveName(string name)
    {
        if (Digest.TryParse(name, out Digest checksum))
        {
            return HasCommit(checksum) ? checksum : null;
        }

        string[] parts = name.Split(':', 2);
        string path = parts.Length == 2 ? $"refs/remotes/{parts[0]}/{parts[1]}" : $"refs/heads/{name}";
        if (parts.Any(part => part.Length == 0 || part.Split('/').Any(component => component is "" or "." or "..")))
        {
            return null;
        }

        // An alias is a symbolic link to another ref of the repository.
        Errno errno = Sys.OpenInRoot(top, ByteText.FromArgument(path), OpenFlags.ReadOnly | OpenFlags.NonBlocking, out SafeFileHandle file);
        if (errno is Errno.ENOENT or Errno.ENOTDIR)
        {
            return null;
        }

        string subject = $"{Path}/{path}";
        errno.ThrowIfFailed("openat2", subject);
        using (file)
        {
            Sys.Stat(file, out FileStatus status).ThrowIfFailed("statx", subject);
            byte[] bytes = new byte[Digest.HexLength + 1];
            int count = 0;
            if (status.Type == FileType.Regular)
            {
                Sys.ReadAt(file, bytes, 0, out count).ThrowIfFailed("pread", subject);
            }

            return count >= Digest.HexLength && Digest.TryParse(bytes.AsSpan(0, Digest.HexLength), out Digest commit)
                ? commit
                : status.Type == FileType.Directory ? null : throw new CorruptException(subject, "it names no commit", remedy: null);
        }
    }

    private OstreeFile OpenBare(Digest checksum)
    {
        string subject = Subject(checksum, Kind);
        byte[] name = NameOf(checksum, Kind);
        Errno errno = Sys.Stat(top, name, out FileStatus status);
        if (errno == Errno.ENOENT)
        {
            throw Missing(checksum, Kind);
        }

        errno.ThrowIfFailed("statx", subject);
        bool isOwn = Mode == OstreeMode.Bare;
        uint mode = (uint)status.Type | status.Mode;
        if (status.Type == FileType.Symlink && Mode != OstreeMode.BareUser)
        {
            byte[] target = new byte[MaxTarget + 1];
            Sys.ReadLink(top, name, target, out int length).ThrowIfFailed("readlinkat", subject);
            byte[] attributes = isOwn ? OstreeHeader.AttributesOf(xattrs.Read(top, name, subject)) : [];
            return new OstreeFile(new OstreeHeader(isOwn ? status.Uid : 0, isOwn ? status.Gid : 0, mode, target[..length], attributes), 0, Stream.Null);
        }

        SafeFileHandle file = OpenRegular(checksum, out status);
        try
        {
            mode = (uint)status.Type | status.Mode;
            OstreeHeader header = Mode switch
            {
                OstreeMode.BareUser => UserHeader(file, checksum),
                OstreeMode.Bare => new OstreeHeader(status.Uid, status.Gid, mode, [], OstreeHeader.AttributesOf(xattrs.Read(file, subject))),
                _ => new OstreeHeader(0, 0, mode, [], []),
            };
            if (header.Type != FileType.Symlink)
            {
                return new OstreeFile(header, status.Size, new FileBytes(file, 0, subject));
            }

            // The file has the target, and a zero behind it.
            byte[] target = new byte[Math.Min(status.Size, MaxTarget + 1)];
            Sys.ReadAt(file, target, 0, out int count).ThrowIfFailed("pread", subject);
            file.Dispose();
            count -= count > 0 && target[count - 1] == 0 ? 1 : 0;
            return new OstreeFile(header with { Target = target[..count] }, 0, Stream.Null);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private OstreeHeader UserHeader(SafeFileHandle file, Digest checksum)
    {
        byte[] value = new byte[XattrSet.MaxValueLength];
        Errno errno = Sys.GetXattr(file, "user.ostreemeta"u8, value, out int length);
        return errno == Errno.None
            ? OstreeHeader.OfMetadata(value.AsSpan(0, length))
            : errno is Errno.ENODATA or Errno.EOPNOTSUPP
                ? throw Fault(
                    checksum, Kind, "it has no attribute user.ostreemeta, so its owner and mode are not known; a copy of a repository needs the attributes too")
                : throw new LinuxException(errno, "getxattr", Subject(checksum, Kind));
    }

    private OstreeFile OpenArchived(Digest checksum)
    {
        string subject = Subject(checksum, Kind);
        SafeFileHandle file = OpenRegular(checksum, out FileStatus status);
        try
        {
            byte[] frame = new byte[Frame];
            Sys.ReadAt(file, frame, 0, out int count).ThrowIfFailed("pread", subject);
            uint length = BinaryPrimitives.ReadUInt32BigEndian(frame);
            if (count < Frame || length > MaxHeader || length > status.Size - Frame)
            {
                throw new FormatException("a header that is longer than the file");
            }

            byte[] bytes = new byte[length];
            Sys.ReadAt(file, bytes, Frame, out count).ThrowIfFailed("pread", subject);
            OstreeHeader header = OstreeHeader.OfArchive(bytes.AsSpan(0, count), out long size);
            if (header.Type != FileType.Regular)
            {
                file.Dispose();
                return size == 0 ? new OstreeFile(header, 0, Stream.Null) : throw new FormatException("a link with content");
            }

            return new OstreeFile(header, size, new DeflateStream(new FileBytes(file, Frame + length, subject), CompressionMode.Decompress));
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private SafeFileHandle OpenRegular(Digest checksum, out FileStatus status)
    {
        string subject = Subject(checksum, Kind);
        Errno errno = Sys.OpenBeneath(top, NameOf(checksum, Kind), OpenFlags.ReadOnly | OpenFlags.NonBlocking, out SafeFileHandle file);
        if (errno == Errno.ENOENT)
        {
            throw Missing(checksum, Kind);
        }

        if (errno is not (Errno.None or Errno.ELOOP or Errno.ENXIO))
        {
            throw new LinuxException(errno, "openat2", subject);
        }

        if (errno == Errno.None)
        {
            Sys.Stat(file, out status).ThrowIfFailed("statx", subject);
            if (status.Type == FileType.Regular)
            {
                return file;
            }

            file.Dispose();
        }

        throw Fault(checksum, Kind, "it is no file of OSTree");
    }

    private CorruptException Missing(Digest checksum, string kind) =>
        Fault(checksum, kind, "it is not there, so the commit is not whole in this repository; fetch it again with `ostree pull`");

    private string Subject(Digest checksum, string kind) => $"{Path}/{System.Text.Encoding.ASCII.GetString(NameOf(checksum, kind))}";

    private static byte[] NameOf(Digest checksum, string kind)
    {
        string hex = checksum.ToString();
        return System.Text.Encoding.ASCII.GetBytes($"objects/{hex[..2]}/{hex[2..]}.{kind}");
    }

    /// <summary>The bytes of a file from a place on.</summary>
    private sealed class FileBytes(SafeFileHandle file, long start, string subject) : ReadOnlyStream
    {
        private long at = start;

        public override int Read(Span<byte> buffer)
        {
            Sys.ReadAt(file, buffer, at, out int count).ThrowIfFailed("pread", subject);
            at += count;
            return count;
        }

        protected override void Dispose(bool disposing)
        {
            file.Dispose();
            base.Dispose(disposing);
        }
    }
}
