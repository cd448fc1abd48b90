using CsCheck;
using HackTree.Store;

namespace HackTree.Tests.Store;

/// <summary>
/// Maps of objects' keys beside a dictionary: keys far apart and side by side, those that all belong at one place, and the least and the greatest.
/// </summary>
public sealed class ObjectMapTests
{
    private static readonly Gen<ulong> Key = Gen.OneOf(
        Gen.ULong, Gen.ULong[0, 40], Gen.ULong[ulong.MaxValue - 40, ulong.MaxValue - 1], Gen.ULong[0, 40].Select(n => (0x123UL << 52) + (n << 20)));

    [Fact]
    public void A_map_does_what_a_dictionary_does() =>
        Gen.Select(Key, Gen.Int).Array[0, 300].Sample(pairs =>
        {
            var expected = new Dictionary<ulong, int>();
            var map = new ObjectMap<int>();
            foreach ((ulong key, int value) in pairs)
            {
                ulong taken = Math.Max(key, 1);
                Assert.Equal(expected.ContainsKey(taken), map.Contains(key));
                ref int place = ref map.GetOrAdd(key, out bool isKnown);
                Assert.Equal((expected.ContainsKey(taken), expected.GetValueOrDefault(taken)), (isKnown, place));
                place = expected[taken] = value;
                Assert.Equal(expected.Count, map.Count);
            }

            Assert.All(expected, pair => Assert.True(map.TryGet(pair.Key, out int value) && value == pair.Value));
            map.Clear();
            Assert.All(expected, pair => Assert.False(map.Contains(pair.Key)));
            Assert.Equal(0, map.Count);
        });

    [Fact]
    public void Of_a_million_keys_every_one_is_found_and_no_other()
    {
        var random = new Random(1);
        ulong[] keys = [.. Enumerable.Range(0, 1_000_000).Select(_ => (ulong)random.NextInt64())];
        var map = new ObjectMap<bool>();
        Array.ForEach(keys[..500_000], key => map.Set(key, true));
        Assert.Equal(500_000, map.Count);
        Assert.All(keys[..500_000], key => Assert.True(map.TryGet(key, out bool value) && value));
        Assert.DoesNotContain(keys[500_000..], map.Contains);
    }
}
