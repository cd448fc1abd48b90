using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>Reads what the name of a file tells. False for a name that is none of the room's.</summary>
internal delegate bool NameReader<T>(ReadOnlySpan<byte> name, out T value);

/// <summary>A directory of the store that is made when it is first needed. A store without it is whole.</summary>
internal sealed class LateRoom(ObjectStore store, SafeFileHandle top, string name, ushort mode = FileModes.PublicDirectory)
{
    /// <summary>Its path, for messages.</summary>
    internal string Path => $"{store.Path}/{name}";

    /// <summary>Opens it; null if there is none.</summary>
    internal SafeFileHandle? TryOpen()
    {
        Errno errno = Sys.Open(top, ByteText.FromArgument(name), OpenFlags.ReadOnly | OpenFlags.Directory | OpenFlags.NoFollow, out SafeFileHandle room);
        if (errno == Errno.ENOENT)
        {
            return null;
        }

        errno.ThrowIfFailed("openat", Path);
        return room;
    }

    /// <summary>Makes it, durably, unless it is there, and opens it. Throws <see cref="StoreException"/> if this process may not write to the store.</summary>
    internal SafeFileHandle Make()
    {
        store.RequireWritable();
        Errno made = Sys.MakeDirectory(top, ByteText.FromArgument(name), mode);
        if (made != Errno.EEXIST)
        {
            made.ThrowIfFailed("mkdirat", Path);
            Sys.Sync(top).ThrowIfFailed("fsync", store.Path);
        }

        return TryOpen() ?? throw new LinuxException(Errno.ENOENT, "openat", Path);
    }

    /// <summary>What the names of the files in it tell, in no order. <paramref name="strangers"/> gets the other names.</summary>
    internal List<T> List<T>(NameReader<T> read, List<byte[]>? strangers)
    {
        var values = new List<T>();
        using SafeFileHandle? room = TryOpen();
        if (room is null)
        {
            return values;
        }

        var reader = new DirectoryReader();
        reader.Start(room, Path);
        while (reader.Next())
        {
            if (read(reader.Name, out T value))
            {
                values.Add(value);
            }
            else
            {
                strangers?.Add(reader.Name.ToArray());
            }
        }

        return values;
    }

    /// <summary>The whole of a small file in it; null if there is none. Throws <see cref="CorruptException"/> for a longer one.</summary>
    internal byte[]? TryRead(string file, int maxLength = SmallFile.MaxLength)
    {
        using SafeFileHandle? room = TryOpen();
        return room is null ? null : SmallFile.TryRead(room, ByteText.FromArgument(file), Subject(file), maxLength);
    }

    /// <summary>Writes a small file in it, or replaces it, durably.</summary>
    internal void Write(string file, ReadOnlySpan<byte> content)
    {
        using SafeFileHandle room = Make();
        DurableFile.WriteStaged(store.Temporary, room, ByteText.FromArgument(file), content, Subject(file));
    }

    /// <summary>Removes a file from it. ENOENT if there is none. Durable with <see cref="Sync"/>.</summary>
    internal Errno Remove(ReadOnlySpan<byte> file)
    {
        using SafeFileHandle? room = TryOpen();
        return room is null ? Errno.ENOENT : Sys.Unlink(room, file);
    }

    /// <summary>Makes the names in it durable.</summary>
    internal void Sync()
    {
        using SafeFileHandle? room = TryOpen();
        if (room is not null)
        {
            Sys.Sync(room).ThrowIfFailed("fsync", Path);
        }
    }

    /// <summary>The path of a file in it, for messages.</summary>
    internal string Subject(string file) => $"{Path}/{file}";
}
