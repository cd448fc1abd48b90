namespace HackTree.Store;

/// <summary>Whether the store has an object, and whether a commit may rely on it. <see cref="Doubt"/> decides that.</summary>
public enum ObjectState
{
    /// <summary>No file has the object's name.</summary>
    Missing,

    /// <summary>The object is there, and a commit may rely on it.</summary>
    There,

    /// <summary>
    /// Suspect: the file has another size than the object, or is not a regular file. A power cut can leave an object too short.
    /// </summary>
    SuspectSize,

    /// <summary>Suspect: the file may have a name outside the store, so a process may still write to it.</summary>
    SuspectName,

    /// <summary>Suspect: the content was read, and it is not what the object's name says.</summary>
    SuspectContent,
}
