using HackTree.Linux;

namespace HackTree.Store;

public sealed partial class StatCache
{
    /// <summary>Looks up and adds, for one thread. Allocates nothing unless the cache is larger than what of it is kept in memory.</summary>
    public sealed class Reader : IDisposable
    {
        private readonly StatCacheTable? table;
        private StatCacheTable.Session? session;

        internal Reader(StatCacheTable? table)
        {
            this.table = table;
            session = table?.NewSession();
        }

        /// <summary>How many files were asked for.</summary>
        internal long Asked { get; private set; }

        /// <summary>How many were added.</summary>
        internal long Added { get; private set; }

        /// <summary>
        /// What was found in a file when it had this status: a hit only where device, inode, size and both times are the
        /// same as then.
        /// </summary>
        public bool TryFind(in FileStatus status, out CachedFile found)
        {
            Asked++;
            var key = new StatCacheKey(status.Device, status.Inode);
            StatCacheValue value = default;
            bool isHit = session is not null && table!.IsSound && session.TryFind(ref key, out value) && value.IsOf(key, status) && table.IsSound;
            found = isHit ? value.File : default;
            return isHit;
        }

        /// <summary>
        /// Remembers what is in a file that has this status. Ignored where it was changed too shortly before
        /// <paramref name="statTaken"/>, the clock's time just before the status was taken, to be told from a file that
        /// is being changed. The content must have been read after that, and the status be the same after it.
        /// </summary>
        public void Add(in FileStatus status, in CachedFile file, FileTime statTaken)
        {
            var key = new StatCacheKey(status.Device, status.Inode);
            if (session is null || !table!.IsSound || !StatCacheRule.IsSettled(status.ModifyTime, status.ChangeTime, statTaken)
                || !StatCacheValue.TryMake(key, status, file, out StatCacheValue value))
            {
                return;
            }

            session.Add(ref key, ref value);
            Added++;
        }

        /// <summary>Ends it: from then on everything is a miss.</summary>
        public void Dispose()
        {
            session?.Dispose();
            session = null;
        }
    }
}
