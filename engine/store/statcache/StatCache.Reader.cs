using HackTree.Linux;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

public sealed partial class StatCache
{
    /// <summary>
    /// Looks up and adds files, for one thread. It allocates only when the cache is larger than the part that is kept in memory.
    /// </summary>
    public sealed class Reader : IDisposable
    {
        private readonly StatCache cache;
        private readonly StatCacheTable? table;
        private StatCacheTable.Session? session;

        internal Reader(StatCache cache)
        {
            this.cache = cache;
            table = cache.table;
            session = table?.NewSession();
        }

        /// <summary>The filesystem whose files can be found and added.</summary>
        internal CachedFilesystem Filesystem { get; set; }

        /// <summary>The number of look-ups.</summary>
        internal long Asked { get; private set; }

        /// <summary>The number of added files.</summary>
        internal long Added { get; private set; }

        /// <summary>
        /// Goes to a directory. Files on its filesystem can be found and added from then on. This costs system calls only if the last directory
        /// was on another filesystem.
        /// </summary>
        public void Enter(SafeFileHandle directory, in FileStatus status)
        {
            if (Filesystem.Device != status.Device)
            {
                Filesystem = cache.FilesystemOf(directory, status);
            }
        }

        /// <summary>
        /// Finds what is known about a file with this status. It is a hit only if filesystem, inode, birth time, size and both times are
        /// unchanged.
        /// </summary>
        public bool TryFind(in FileStatus status, out CachedFile found)
        {
            Asked++;
            var key = new StatCacheKey(Filesystem.Number, status.Inode);
            StatCacheValue value = default;
            bool isHit = session is not null && Filesystem.Covers(status)
                && table!.IsSound && session.TryFind(ref key, out value) && value.IsOf(key, status) && table.IsSound;
            found = isHit ? value.File : default;
            return isHit;
        }

        /// <summary>
        /// Remembers what is in a file with this status. Files that changed too shortly before <paramref name="statTaken"/> are ignored, because
        /// they may still be changing. <paramref name="statTaken"/> is the time just before the status was taken. The caller must have read the
        /// content after that, and must have seen the same status afterwards.
        /// </summary>
        public void Add(in FileStatus status, in CachedFile file, FileTime statTaken)
        {
            var key = new StatCacheKey(Filesystem.Number, status.Inode);
            if (session is null || !Filesystem.Covers(status) || !table!.IsSound || !StatCacheRule.IsSettled(status.ModifyTime, status.ChangeTime, statTaken)
                || !StatCacheValue.TryMake(key, status, file, out StatCacheValue value))
            {
                return;
            }

            session.Add(ref key, ref value);
            Added++;
        }

        /// <summary>Ends the session. From then on every look-up is a miss.</summary>
        public void Dispose()
        {
            session?.Dispose();
            session = null;
        }
    }
}
