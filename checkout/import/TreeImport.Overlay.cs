using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Checkout;

/// <summary>This file has what is different in the upper directory of an overlay.</summary>
public sealed partial class TreeImport
{
    private sealed partial class Worker
    {
        /// <summary>The attributes of a file or directory. Throws <see cref="StoreException"/> if no object may have them.</summary>
        private byte[] ReadXattrs(SafeFileHandle file)
        {
            byte[] found = xattrs.Read(file, this);
            if (import.options.Over is { Checkout: not null })
            {
                UserCheckout.RequireNoAcl(found, this);
            }

            return found;
        }

        /// <summary>An entry of the current directory with what the overlay does not show of the stored entry.</summary>
        private TreeEntry WithUnshown(in TreeEntry entry) =>
            over is not null && import.options.Over!.Checkout is { } checkout ? checkout.Restore(entry, over.Find(entry.Name)) : entry;

        /// <summary>
        /// The stored tree that shows through a directory; null if none does. If one does, the directory gets what the overlay does not show of it.
        /// </summary>
        private Tree? StoredBelow(ImportDirectory directory)
        {
            if (directory.Over.IsNone)
            {
                return null;
            }

            if (OverlayBase.IsOpaque(directory.Handle))
            {
                import.options.Over!.DropTree(import.store.Packs, directory.Over);
                return null;
            }

            if (directory.Recorded is { } recorded)
            {
                TreeEntry whole = import.options.Over!.Checkout!.Restore(directory.AsEntry(), recorded.AsEntry());
                directory.Metadata = whole.Metadata;
                directory.Xattrs = whole.Xattrs.ToArray();
            }

            return import.store.Packs.ReadTree(directory.Over);
        }

        /// <summary>
        /// Adds the entries of the stored tree whose names the upper directory does not have. A name that is left out keeps its entry, unless
        /// it was deleted.
        /// </summary>
        private void KeepStored(ImportDirectory directory, Tree stored)
        {
            OverlayBase below = import.options.Over!;
            for (var cursor = new TreeCursor(stored); cursor.Next(out TreeEntry entry);)
            {
                Errno errno = Sys.Stat(directory.Handle, entry.Name, out FileStatus status);
                if (errno == Errno.ENOENT)
                {
                    AddTo(directory, entry);
                    continue;
                }

                RequireThere(errno, "statx", directory, entry.Name);
                bool isDeleted = OverlayBase.IsDeletion(status);
                if (!isDeleted && Matches(import.options.Excludes, directory, entry.Name))
                {
                    AddTo(directory, entry);
                }
                else if (isDeleted || !entry.IsDirectory || status.Type != FileType.Directory)
                {
                    below.Drop(import.store.Packs, entry);
                }
            }
        }
    }
}
