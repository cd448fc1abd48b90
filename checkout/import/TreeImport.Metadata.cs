using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Checkout;

/// <content>What a commit has of the metadata on disk: other owners, modes and times where the user wants them.</content>
public sealed partial class TreeImport
{
    private sealed partial class Worker
    {
        /// <summary>The metadata of an entry; with an empty name, of the directory itself.</summary>
        private FileMetadata MetadataOf(ImportDirectory directory, ReadOnlySpan<byte> name, in FileStatus status)
        {
            var metadata = new FileMetadata(status.Mode, status.Uid, status.Gid, import.store.Format.KeepTimes ? TimeOf(status) : 0);
            return import.options.Changes is { } changes ? changes.Of(directory.PathOf(name), metadata, KindOf(status)) : metadata;
        }

        /// <summary>The attributes of an entry whose mode may be another than on disk.</summary>
        private byte[] Settled(byte[] attributes, FileMetadata metadata) =>
            import.options.Changes is null ? attributes : AclAndMode.AfterChmod(attributes, metadata.Mode);

        private static EntryKind KindOf(in FileStatus status) => status.Type switch
        {
            FileType.Directory => EntryKind.Directory,
            FileType.Symlink => EntryKind.Symlink,
            _ => EntryKind.Regular,
        };

        private long TimeOf(in FileStatus status) =>
            import.options.ClampsTimes && import.additions is { } additions ? additions.Trials.Clamp(status.ModifyTime.Seconds) : status.ModifyTime.Seconds;

        /// <summary>Throws if a checkout could not restore the metadata of the current entry, which is no file.</summary>
        private void RequireHeld(EntryKind kind, FileMetadata metadata, ReadOnlySpan<byte> attributes)
        {
            if (import.additions?.Trials.Find(kind, metadata, attributes) is { } unheld)
            {
                throw new UnheldException(ToString(), unheld, isCommit: true);
            }
        }
    }
}
