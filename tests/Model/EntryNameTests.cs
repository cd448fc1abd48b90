using HackTree.Model;

namespace HackTree.Tests.Model;

public sealed class EntryNameTests
{
    [Fact]
    public void Every_single_byte_but_slash_NUL_and_dot_is_a_name()
    {
        for (int b = 0; b < 256; b++)
        {
            Assert.Equal(b is not (0 or '/' or '.'), EntryName.IsValid([(byte)b]));
        }
    }

    [Fact]
    public void Names_with_dots_that_are_not_the_two_special_ones_are_names()
    {
        Assert.False(EntryName.IsValid("."u8));
        Assert.False(EntryName.IsValid(".."u8));
        Assert.True(EntryName.IsValid("..."u8));
        Assert.True(EntryName.IsValid(".a"u8));
        Assert.True(EntryName.IsValid("..a"u8));
        Assert.True(EntryName.IsValid("a.."u8));
        Assert.True(EntryName.IsValid(" "u8));
    }

    [Fact]
    public void A_name_has_1_to_255_bytes()
    {
        Assert.False(EntryName.IsValid([]));
        Assert.True(EntryName.IsValid(Enumerable.Repeat((byte)0xFF, 255).ToArray()));
        Assert.False(EntryName.IsValid(Enumerable.Repeat((byte)0xFF, 256).ToArray()));
    }

    [Fact]
    public void Slash_and_NUL_are_refused_at_every_place()
    {
        foreach (byte bad in "/\0"u8.ToArray())
        {
            for (int at = 0; at < EntryName.MaxLength; at++)
            {
                byte[] name = [.. Enumerable.Repeat((byte)'n', EntryName.MaxLength)];
                name[at] = bad;
                Assert.False(EntryName.IsValid(name));
            }
        }
    }
}
