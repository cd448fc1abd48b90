using System.Buffers.Binary;
using System.IO.Hashing;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
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
    public void A_value_with_any_other_bit_is_refused()
    {
        var key = new StatCacheKey(StatCacheWorld.Filesystem.Number, 1);
        Assert.True(StatCacheValue.TryMake(key, StatCacheWorld.Status(1), StatCacheWorld.File(1), out StatCacheValue value));
        for (int bit = 0; bit < 8 * (StatCacheTable.RecordLength - 24); bit++)
        {
            StatCacheValue[] damaged = [value];
            MemoryMarshal.AsBytes(damaged.AsSpan())[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.False(damaged[0].IsOf(key, StatCacheWorld.Status(1)), $"bit {bit}");
        }
    }

    [Fact]
    public void Attributes_are_kept_as_the_first_half_of_their_digest()
    {
        byte[] one = XattrSet.Encode([([.. "user.a"u8], [1])]), other = XattrSet.Encode([([.. "user.a"u8], [2])]);
        Assert.Equal(CachedXattrs.None, CachedXattrs.Of([]));
        Assert.Equal(CachedXattrs.Of(one), CachedXattrs.Of(one));
        CachedXattrs[] all = [CachedXattrs.None, CachedXattrs.Unknown, CachedXattrs.Of(one), CachedXattrs.Of(other)];
        Assert.Equal(all.Length, all.Distinct().Count());
    }

    [Fact]
    public void A_record_is_laid_out_as_described()
    {
        byte[] attributes = XattrSet.Encode([([.. "user.label"u8], [1, 2, 3])]);
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
            StatCacheWorld.NewReader(cache).Add(status, new CachedFile(digest, CachedXattrs.Of(attributes)), StatCacheWorld.Now);
            Assert.True(cache.Save());
        }

        byte[] expected = new byte[96];
        BinaryPrimitives.WriteUInt64LittleEndian(expected, 0x1122334455667788);
        BinaryPrimitives.WriteUInt64LittleEndian(expected.AsSpan(8), 0x0102030405060708);
        BinaryPrimitives.WriteUInt64LittleEndian(expected.AsSpan(16), 0x1234);
        BinaryPrimitives.WriteInt64LittleEndian(expected.AsSpan(24), 3_000_000_004);
        BinaryPrimitives.WriteInt64LittleEndian(expected.AsSpan(32), -4_999_999_994);
        for (int i = 0; i < Digest.Size; i++)
        {
            expected[40 + (i ^ 7)] = (byte)(i + 1);
        }

        SHA256.HashData([.. "hacktree xattrs 1\n"u8, .. attributes])[..16].CopyTo(expected, 72);
        byte[] summed = [.. expected.AsSpan(0, 88), .. BitConverter.GetBytes(1_000_000_002L)];
        BinaryPrimitives.WriteUInt64LittleEndian(expected.AsSpan(88), XxHash3.HashToUInt64(summed));
        byte[] log = File.ReadAllBytes(world.Files.Single(file => file.Contains("/log-")));
        Assert.Equal(expected, log.AsSpan(FirstRecord + 8, expected.Length).ToArray());
        Assert.Equal(StatCacheTable.RecordLength, 8 + expected.Length);
    }
}
