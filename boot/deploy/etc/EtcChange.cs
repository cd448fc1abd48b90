using HackTree.Model;

namespace HackTree.Boot;

/// <summary>What a merge of /etc did with a name, where the answer is not simply the new commit's.</summary>
public enum EtcChangeKind
{
    /// <summary>Only I changed or added it: mine is in the new root.</summary>
    Mine,
    /// <summary>I deleted it and the new commit did not change it: it is not in the new root.</summary>
    Deleted,
    /// <summary>Both changed it: mine is in the new root, theirs beside it.</summary>
    Conflict,
    /// <summary>I deleted it and the new commit changed it: it stays deleted, theirs is beside its place.</summary>
    DeletedButChanged,
    /// <summary>The new commit no longer has it and I changed it: mine stays.</summary>
    ChangedButDropped,
    /// <summary>Both changed the mode, owner or attributes of a directory: mine stay.</summary>
    DirectoryMetadata,
    /// <summary>Both changed a file of accounts: it has the changes of both.</summary>
    Merged,
    /// <summary>Both changed an account: my line stays. The file of the new commit is beside mine.</summary>
    Account,
    /// <summary>An account of the new commit has a number that another account of mine has. Both are there.</summary>
    AccountNumber,
}

/// <summary>One answer of a merge of /etc.</summary>
/// <param name="Path">The path below /etc; empty for /etc itself.</param>
/// <param name="Kind">What was done.</param>
/// <param name="Account">The account's name, for the two kinds that tell of one; else null.</param>
public sealed record EtcChange(byte[] Path, EtcChangeKind Kind, string? Account = null)
{
    /// <summary>The path of what the new commit has, below /etc; null if that is not beside mine.</summary>
    public byte[]? Beside
    {
        get
        {
            int name = Path.AsSpan().LastIndexOf((byte)'/') + 1;
            return Kind is EtcChangeKind.Conflict or EtcChangeKind.DeletedButChanged or EtcChangeKind.Account
                ? [.. Path[..name], .. BesideOf(Path.AsSpan(name))]
                : null;
        }
    }

    private static ReadOnlySpan<byte> Suffix => ".hacktree-new"u8;

    /// <summary>The name beside a name. A name too long for the suffix is cut.</summary>
    internal static byte[] BesideOf(ReadOnlySpan<byte> name) => [.. name[..Math.Min(name.Length, EntryName.MaxLength - Suffix.Length)], .. Suffix];
}
