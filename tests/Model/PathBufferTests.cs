using System.Text;
using CsCheck;
using HackTree.Model;

namespace HackTree.Tests.Model;

public sealed class PathBufferTests
{
    [Fact]
    public void Names_go_on_and_come_off()
    {
        var path = new PathBuffer();
        Assert.True(path.Bytes.IsEmpty);
        int root = path.Push("usr"u8);
        Assert.Equal("usr"u8.ToArray(), path.Bytes);
        int usr = path.Push("share"u8);
        path.Push([0xFF]);
        Assert.Equal((byte[])[.. "usr/share/"u8, 0xFF], path.Bytes);
        Assert.Equal("usr/share/\\377", path.ToString());
        path.Cut(usr);
        Assert.Equal("usr"u8.ToArray(), path.Bytes);
        path.Push("bin"u8);
        Assert.Equal("usr/bin"u8.ToArray(), path.Bytes);
        path.Cut(root);
        Assert.True(path.Bytes.IsEmpty);
        Assert.Equal("", path.ToString());
    }

    [Fact]
    public void Any_way_down_and_up_is_what_a_list_of_names_gives() => Gen.Select(Generators.Name, Gen.Bool).Array[0, 60].Sample(steps =>
    {
        var path = new PathBuffer();
        Stack<int> cuts = new();
        List<string> names = [];
        foreach ((byte[] name, bool isDown) in steps)
        {
            if (isDown || cuts.Count == 0)
            {
                cuts.Push(path.Push(name));
                names.Add(Encoding.Latin1.GetString(name));
            }
            else
            {
                path.Cut(cuts.Pop());
                names.RemoveAt(names.Count - 1);
            }

            Assert.Equal(string.Join('/', names), Encoding.Latin1.GetString(path.Bytes));
        }
    });

    [Fact]
    public void A_path_may_be_far_longer_than_Linux_takes_in_one_call()
    {
        var path = new PathBuffer();
        byte[] name = [.. Enumerable.Repeat((byte)'n', EntryName.MaxLength)];
        for (int i = 0; i < 2000; i++)
        {
            path.Push(name);
        }

        Assert.Equal((256 * 2000) - 1, path.Bytes.Length);
    }
}
