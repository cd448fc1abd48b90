using System.Runtime.CompilerServices;

namespace HackTree.Linux;

/// <summary>Error numbers of Linux system calls (errno(3)); zero is success. The values are the same on x64 and arm64.</summary>
public enum Errno
{
    /// <summary>The call succeeded.</summary>
    None = 0,
    /// <summary>Operation not permitted.</summary>
    EPERM = 1,
    /// <summary>No such file or directory.</summary>
    ENOENT = 2,
    /// <summary>No such process.</summary>
    ESRCH = 3,
    /// <summary>Interrupted by a signal.</summary>
    EINTR = 4,
    /// <summary>Input or output error.</summary>
    EIO = 5,
    /// <summary>No such device or address.</summary>
    ENXIO = 6,
    /// <summary>Argument list too long. For extended attributes: the value is too large for the call.</summary>
    E2BIG = 7,
    /// <summary>Bad file descriptor.</summary>
    EBADF = 9,
    /// <summary>Try again; another process holds the lock.</summary>
    EAGAIN = 11,
    /// <summary>Out of memory.</summary>
    ENOMEM = 12,
    /// <summary>Permission denied.</summary>
    EACCES = 13,
    /// <summary>Not a block device.</summary>
    ENOTBLK = 15,
    /// <summary>Device or resource busy.</summary>
    EBUSY = 16,
    /// <summary>The name exists.</summary>
    EEXIST = 17,
    /// <summary>The two names are on different filesystems (or mounts).</summary>
    EXDEV = 18,
    /// <summary>No such device.</summary>
    ENODEV = 19,
    /// <summary>Not a directory.</summary>
    ENOTDIR = 20,
    /// <summary>Is a directory.</summary>
    EISDIR = 21,
    /// <summary>Invalid argument.</summary>
    EINVAL = 22,
    /// <summary>Too many open files in the system.</summary>
    ENFILE = 23,
    /// <summary>Too many open files in this process.</summary>
    EMFILE = 24,
    /// <summary>Not a terminal, or the file does not support the ioctl.</summary>
    ENOTTY = 25,
    /// <summary>The file is being executed.</summary>
    ETXTBSY = 26,
    /// <summary>File too large.</summary>
    EFBIG = 27,
    /// <summary>No space left on the filesystem.</summary>
    ENOSPC = 28,
    /// <summary>Read-only filesystem.</summary>
    EROFS = 30,
    /// <summary>The inode has as many links as the filesystem allows.</summary>
    EMLINK = 31,
    /// <summary>Broken pipe.</summary>
    EPIPE = 32,
    /// <summary>The buffer is too small for the result.</summary>
    ERANGE = 34,
    /// <summary>A name is longer than 255 bytes, or a path is longer than 4095.</summary>
    ENAMETOOLONG = 36,
    /// <summary>The kernel or the file server has no more locks to give.</summary>
    ENOLCK = 37,
    /// <summary>The kernel has no such system call.</summary>
    ENOSYS = 38,
    /// <summary>The directory is not empty.</summary>
    ENOTEMPTY = 39,
    /// <summary>A symbolic link stands where none may.</summary>
    ELOOP = 40,
    /// <summary>No such extended attribute.</summary>
    ENODATA = 61,
    /// <summary>The filesystem found a wrong checksum.</summary>
    EBADMSG = 74,
    /// <summary>The value does not fit its type.</summary>
    EOVERFLOW = 75,
    /// <summary>The filesystem does not support this.</summary>
    EOPNOTSUPP = 95,
    /// <summary>The file server has no such file any more.</summary>
    ESTALE = 116,
    /// <summary>The filesystem found itself damaged.</summary>
    EUCLEAN = 117,
    /// <summary>The disk quota is used up.</summary>
    EDQUOT = 122,
}

/// <summary>A system call failed in a way that the caller does not expect. Holds the call, the errno and what the call was about.</summary>
public sealed class LinuxException : IOException
{
    /// <summary>Makes the exception for a failed <paramref name="call"/> on <paramref name="subject"/> (a path, as a person would name it).</summary>
    public LinuxException(Errno errno, string call, string subject)
        : base($"{subject}: {Describe(errno)}{Attempt(errno, call)}")
    {
        Errno = errno;
        Call = call;
        Subject = subject;
    }

    /// <summary>The error number.</summary>
    public Errno Errno { get; }

    /// <summary>The system call that failed, as in its man page.</summary>
    public string Call { get; }

    /// <summary>What the call was about, usually a path.</summary>
    public string Subject { get; }

    /// <summary>The exception with the name of the call, for a debugger.</summary>
    public override string ToString() => $"{base.ToString()}{Environment.NewLine}   {Call} answered {Errno}";

    /// <summary>Says an errno in plain words.</summary>
    public static string Describe(Errno errno) => errno switch
    {
        Errno.EPERM => "operation not permitted",
        Errno.ENOENT => "no such file or directory",
        Errno.EIO => "input/output error",
        Errno.ENXIO => "no such device or address",
        Errno.E2BIG => "argument list too long",
        Errno.EBADF => "it is closed",
        Errno.EAGAIN => "try again",
        Errno.ENOMEM => "out of memory",
        Errno.EACCES => "permission denied",
        Errno.EBUSY => "device or resource busy",
        Errno.EEXIST => "it exists already",
        Errno.EXDEV => "it is on another filesystem or mount",
        Errno.ENODEV => "no such device",
        Errno.ENOTDIR => "not a directory",
        Errno.EISDIR => "is a directory",
        Errno.EINVAL => "invalid argument",
        Errno.EMFILE or Errno.ENFILE => "too few descriptors",
        Errno.ETXTBSY => "the file is being executed",
        Errno.EFBIG => "file too large",
        Errno.ENOSPC => "no space left on the filesystem",
        Errno.EROFS => "read-only filesystem",
        Errno.EMLINK => "too many links",
        Errno.ENAMETOOLONG => "name too long",
        Errno.ENOLCK => "no locks available",
        Errno.ENOTEMPTY => "directory not empty",
        Errno.ELOOP => "a symbolic link stands in the way",
        Errno.EOPNOTSUPP => "not supported by this filesystem",
        Errno.EBADMSG or Errno.EUCLEAN => "the filesystem is damaged",
        Errno.ESTALE => "the file server has lost it",
        Errno.EDQUOT => "disk quota used up",
        Errno.EPIPE => "broken pipe",
        _ => $"error {errno}",
    };

    /// <summary>What was tried, such as " (setting its owner)", if the errno alone does not tell what the filesystem did not do.</summary>
    private static string Attempt(Errno errno, string call)
    {
        bool isClear = errno is not (Errno.EPERM or Errno.EBUSY or Errno.EINVAL or Errno.EOPNOTSUPP)
            && !Describe(errno).StartsWith("error ", StringComparison.Ordinal);
        string attempt = call switch
        {
            "openat" or "openat2" => "opening it",
            "read" or "pread" or "readlinkat" or "getdents64" or "copy_file_range" => "reading it",
            "write" or "pwrite" => "writing to it",
            "ftruncate" or "lseek" => "setting its length",
            "fsync" or "syncfs" => "writing it out to the disk",
            "mkdirat" or "symlinkat" or "mknodat" => "making it",
            "linkat" => "linking it",
            "renameat2" => "renaming it",
            "unlinkat" or "rmdir" => "removing it",
            "fchmod" or "fchmodat" => "setting its mode",
            "fchownat" => "setting its owner",
            "futimens" => "setting its times",
            "fsetxattr" or "lsetxattr" or "removexattr" => "setting an attribute",
            "getxattr" or "listxattr" => "reading its attributes",
            "flock" => "locking it",
            _ => "",
        };
        return isClear || attempt.Length == 0 ? "" : $" ({attempt})";
    }
}

/// <summary>Turns an unexpected errno into an exception.</summary>
public static class ErrnoExtensions
{
    /// <summary>Whether the machine or the process lacked something for the call. Then the call says nothing about its subject.</summary>
    public static bool IsShortage(this Errno errno) => errno is Errno.EMFILE or Errno.ENFILE or Errno.ENOMEM;

    /// <summary>Throws <see cref="LinuxException"/> unless the call succeeded.</summary>
    /// <param name="errno">The result of the call.</param>
    /// <param name="call">The system call, as in its man page.</param>
    /// <param name="subject">What the call was about: a path, or an object whose text is one. The text is made only if the call
    /// failed.</param>
    public static void ThrowIfFailed(this Errno errno, string call, object subject)
    {
        if (errno != Errno.None)
        {
            throw new LinuxException(errno, call, subject.ToString() ?? "");
        }
    }

    /// <summary>
    /// Throws <see cref="LinuxException"/> unless the call succeeded. The subject has the form <c>$"{path}/{name}"</c>; its text is made
    /// only if the call failed.
    /// </summary>
    public static void ThrowIfFailed(this Errno errno, string call, [InterpolatedStringHandlerArgument(nameof(errno))] ref FailureSubject subject)
    {
        if (errno != Errno.None)
        {
            throw new LinuxException(errno, call, subject.Take());
        }
    }
}

/// <summary>
/// Builds the text of an interpolated string for <see cref="ErrnoExtensions.ThrowIfFailed(Errno, string, ref FailureSubject)"/>, and only
/// after a failure.
/// </summary>
[InterpolatedStringHandler]
public ref struct FailureSubject
{
    private DefaultInterpolatedStringHandler text;

    /// <summary>Begins the text. <paramref name="hasFailed"/> tells the compiler whether to build it at all.</summary>
    public FailureSubject(int literalLength, int formattedCount, Errno errno, out bool hasFailed)
    {
        hasFailed = errno != Errno.None;
        text = hasFailed ? new DefaultInterpolatedStringHandler(literalLength, formattedCount) : default;
    }

    /// <summary>Appends the text outside the braces.</summary>
    public void AppendLiteral(string value) => text.AppendLiteral(value);

    /// <summary>Appends the value inside the braces.</summary>
    public void AppendFormatted<T>(T value, string? format = null) => text.AppendFormatted(value, format);

    internal string Take() => text.ToStringAndClear();
}
