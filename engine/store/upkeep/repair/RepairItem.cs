namespace HackTree.Store;

/// <summary>What becomes of something that fsck found.</summary>
public enum RepairState
{
    /// <summary>It will be made again from the copy that was found.</summary>
    Planned,
    /// <summary>It was made again.</summary>
    Made,
    /// <summary>No good copy was found.</summary>
    NotFound,
    /// <summary>No good copy was found, and what has the object's name will be moved to damaged/.</summary>
    ToPutAside,
    /// <summary>What had the object's name was moved to damaged/.</summary>
    PutAside,
    /// <summary>Nothing needs it, so gc removes it.</summary>
    NotNeeded,
    /// <summary>It is of a kind that cannot be made again from copies.</summary>
    NotRepairable,
    /// <summary>It could not be made again.</summary>
    Failed,
}

/// <summary>A problem that fsck found, and what becomes of it.</summary>
/// <param name="Problem">The problem.</param>
public sealed record RepairItem(Finding Problem)
{
    /// <summary>What becomes of it.</summary>
    public RepairState State { get; internal set; } = RepairState.NotRepairable;

    /// <summary>The source that has a good copy, in words; null if none has.</summary>
    public string? Source { get; internal set; }

    /// <summary>Where in the source the copy is.</summary>
    public string? Place { get; internal set; }

    /// <summary>Where below the store the damaged inode is put aside; null if it is not.</summary>
    public string? Aside { get; internal set; }

    /// <summary>Why it could not be made again; null unless <see cref="RepairState.Failed"/>.</summary>
    public Exception? Failure { get; internal set; }

    /// <summary>All refs and roots that need what has no copy, and as what.</summary>
    public IReadOnlyList<Holding> Holdings { get; internal set; } = [];

    /// <summary>Whether the problem is still there, or will be, when the repair is done.</summary>
    public bool IsLeft => State is not (RepairState.Planned or RepairState.Made);

    /// <summary>The object that the problem is about; null if it is about something else.</summary>
    public ObjectName? Object => Problem switch
    {
        Finding.DamagedObject damaged => damaged.Object,
        Finding.UnreadableObject unreadable => unreadable.Object,
        Finding.MissingObject missing => missing.Object,
        _ => null,
    };
}
