using HackTree.Linux;

namespace HackTree.Store;

public sealed partial class StatCache
{
    /// <summary>
    /// Looks up and adds files, for one thread. It allocates only when the cache is larger than the part that is kept in memory.
    /// </summary>
    public sealed class Reader : IDisposable
    {
        private readonly StatCacheTable? table;
        private StatCacheTable.Session? session;

        internal Reader(StatCacheTable? table)
        {
            this.table = table;
            session = table?.NewSession();
        }

        /// <summary>The number of look-ups.</summary>
        internal long Asked { get; private set; }

        /// <summary>The number of added files.</summary>
        internal long Added { get; private set; }

        /// <summary>
        /// Finds what is known about a file with this status. It is a hit only if device, inode, size and both times are unchanged.
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
        /// Remembers what is in a file with this status. Files that changed too shortly before <paramref name="statTaken"/> are ignored, because
        /// they may still be changing. <paramref name="statTaken"/> is the time just before the status was taken. The caller must have read the
        /// content after that, and must have seen the same status afterwards.
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

        /// <summary>Ends the session. From then on every look-up is a miss.</summary>
        public void Dispose()
        {
            session?.Dispose();
            session = null;
        }
    }
}
