using System.Buffers.Binary;
using System.IO.Hashing;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Tests.Store;

/// <summary>The bytes of a record in a saved log, as FORMAT.md draws them.</summary>
public sealed class StatCacheRecordTests
{
    private const int FirstRecord = 64;

    [Fact]
    public void A_value_under_the_wrong_key_is_refused()
    {
        var key = new StatCacheKey(StatCacheWorld.Filesystem.Number, 1);
        Assert.True(StatCacheValue.TryMake(key, StatCacheWorld.Status(1), StatCacheWorld.File(1), out StatCacheValue value));
        Assert.True(value.IsOf(key, StatCacheWorld.Status(1)));
        Assert.False(value.IsOf(key with { Inode = 2 }, StatCacheWorld.Status(1)));
        Assert.False(value.IsOf(key with { Filesystem = 9 }, StatCacheWorld.Status(1)));
    }

    [Fact]
    public void A_record_is_laid_out_as_described()
    {
        var digest = new Digest([.. Enumerable.Range(1, 32).Select(i => (byte)i)]);
        FileStatus status = StatCacheWorld.Status(0, change: raw => raw with
        {
            Mask = Sys.StatxBirthTime,
            Ino = 0x0102030405060708,
            Size = 0x1234,
            Mtime = new RawStatxTime { Seconds = 3, Nanoseconds = 4 },
            Ctime = new RawStatxTime { Seconds = -5, Nanoseconds = 6 },
            Btime = new RawStatxTime { Seconds = 1, Nanoseconds = 2 },
        });
        using var world = new StatCacheWorld();
        using (StatCache cache = world.Open())
        {
            StatCacheWorld.NewReader(cache).Add(status, new CachedFile(digest, HasXattrs: true), StatCacheWorld.Now);
            Assert.True(cache.Save());
        }

        byte[] expected = new byte[80];
        BinaryPrimitives.WriteUInt64LittleEndian(expected, 0x1122334455667788);
        BinaryPrimitives.WriteUInt64LittleEndian(expected.AsSpan(8), 0x0102030405060708);
        BinaryPrimitives.WriteUInt64LittleEndian(expected.AsSpan(16), 0x8000000000001234);
        BinaryPrimitives.WriteInt64LittleEndian(expected.AsSpan(24), 3_000_000_004);
        BinaryPrimitives.WriteInt64LittleEndian(expected.AsSpan(32), -4_999_999_994);
        for (int i = 0; i < Digest.Size; i++)
        {
            expected[40 + (i ^ 7)] = (byte)(i + 1);
        }

        byte[] summed = [.. expected.AsSpan(0, 72), .. BitConverter.GetBytes(1_000_000_002L)];
        BinaryPrimitives.WriteUInt64LittleEndian(expected.AsSpan(72), XxHash3.HashToUInt64(summed));
        byte[] log = File.ReadAllBytes(world.Files.Single(file => file.Contains("/log-")));
        Assert.Equal(expected, log.AsSpan(FirstRecord + 8, 80).ToArray());
        Assert.Equal(StatCacheTable.RecordLength, 8 + expected.Length);
    }
}
