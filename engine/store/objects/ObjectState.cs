namespace HackTree.Store;

/// <summary>What the store answers when it is asked for an object. <see cref="Doubt"/> says how it comes to the answer.</summary>
public enum ObjectState
{
    /// <summary>No file has the object's name.</summary>
    Missing,

    /// <summary>The object is there, and a commit may rely on it.</summary>
    There,

    /// <summary>Suspect: the file has another size than the object, or is no regular file. A power cut can leave an object short.</summary>
    SuspectSize,

    /// <summary>Suspect: the file may have a name outside the store, so somebody could still write to it.</summary>
    SuspectName,

    /// <summary>Suspect: the content was read, and it is not what the object's name says.</summary>
    SuspectContent,
}
