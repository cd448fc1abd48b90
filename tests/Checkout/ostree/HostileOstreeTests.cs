using System.Security.Cryptography;
using HackTree.Checkout;
using HackTree.Linux;
using HackTree.Store;
using HackTree.Tests.Cli;
using HackTree.Tests.Support;

namespace HackTree.Tests.Checkout;

/// <summary>A repository of OSTree that lies: what it says is refused in one sentence, and no ref is set.</summary>
public sealed class HostileOstreeTests : IDisposable
{
    private readonly CliWorld world = new();

    public HostileOstreeTests()
    {
        Tools.Require("ostree");
        world.Shell("""
            set -e
            mkdir -p t/d; echo content > t/file; head -c 200000 /dev/urandom > t/large; ln -s file t/link
            for m in archive bare-user; do ostree init --repo=$m --mode=$m; ostree --repo=$m commit -b x --timestamp=@1 t > /dev/null; done
            """).Succeeded();
    }

    public void Dispose() => world.Dispose();

    [Theory]
    [InlineData("archive", "commit")]
    [InlineData("archive", "dirtree")]
    [InlineData("archive", "dirmeta")]
    [InlineData("archive", "filez")]
    [InlineData("bare-user", "file")]
    public void What_is_not_as_its_name_says_is_refused(string repository, string kind)
    {
        string tree = TreeOf(world.Run("commit", "-q", "--orphan", "--ostree", repository, "x").Succeeded().Trim());
        foreach (string path in Directory.GetFiles(world.At(repository), $"*.{kind}", SearchOption.AllDirectories))
        {
            byte[] right = File.ReadAllBytes(path);
            int refused = 0;
            foreach (int at in (int[])[0, right.Length / 2, right.Length - 1])
            {
                byte[] wrong = [.. right];
                wrong[at] ^= 0x11;
                refused += RefusesBytes(wrong);
            }

            refused += RefusesBytes(right[..(right.Length / 2)]);
            refused += RefusesBytes([]);

            // Some bits of a compressed file mean nothing.
            Assert.InRange(refused, kind == "filez" ? 3 : 5, 5);
            File.Move(path, path + "~");
            Refuses(repository, $".{kind}: it is not there");
            Tools.Run("mkfifo", path).Succeeded();
            Refuses(repository, $".{kind}: it is no");
            File.Move(path + "~", path, overwrite: true);
            Write(path, right);

            int RefusesBytes(byte[] bytes)
            {
                // The attributes of a file stay, because its inode stays.
                Write(path, bytes);
                ToolResult result = world.Run("commit", "-q", "--orphan", "--ostree", repository, "x");
                if (result.ExitCode == 0)
                {
                    Assert.Equal(tree, TreeOf(result.Output.Trim()));
                    return 0;
                }

                Assert.Equal((1, ""), (result.ExitCode, result.Output));
                Assert.Contains($".{kind}: it is n", result.Error);
                Assert.True(CliWorld.IsOneSentence(result), result.Error);
                return 1;
            }
        }
    }

    [Theory]
    [InlineData("..")]
    [InlineData(".")]
    [InlineData("a/b")]
    [InlineData("")]
    [InlineData("../../etc")]
    public void A_name_that_leads_elsewhere_is_refused(string name)
    {
        byte[] file = Convert.FromHexString(Path.GetFileName(Path.GetDirectoryName(AFile()))! + Path.GetFileNameWithoutExtension(AFile()));
        byte[] element = [.. System.Text.Encoding.UTF8.GetBytes(name), 0, .. file, (byte)(name.Length + 1)];
        byte[] files = [.. element, (byte)element.Length];
        Refuses("archive", $"'{name}' is no name that an entry of a directory can have", CommitOf([.. files, (byte)files.Length]));
    }

    [Fact]
    public void A_name_that_is_there_twice_is_refused()
    {
        byte[] file = Convert.FromHexString(Path.GetFileName(Path.GetDirectoryName(AFile()))! + Path.GetFileNameWithoutExtension(AFile()));
        byte[] element = [(byte)'a', 0, .. file, 2];
        byte[] files = [.. element, .. element, (byte)element.Length, (byte)(2 * element.Length)];
        Refuses("archive", "it has a name twice", CommitOf([.. files, (byte)files.Length]));
    }

    [Theory]
    [InlineData(new byte[] { 0xFF })]
    [InlineData(new byte[] { 1, 2, 3, 0xFE })]
    [InlineData(new byte[] { })]
    [InlineData(new byte[] { 5, 5, 5, 5, 5, 5 })]
    [InlineData(new byte[] { 0, 0, 0, 0, 9, 4, 6 })]
    public void Positions_that_are_out_of_range_are_refused(byte[] tree) => Refuses("archive", ".dirtree: it is no dirtree of OSTree", CommitOf(tree));

    /// <summary>Bytes that were changed at random, under a right name, are refused or make a tree; nothing else happens.</summary>
    [Fact]
    public void Any_bytes_are_refused_in_a_sentence()
    {
        Assert.SkipUnless(Sys.IsRoot, "opens root's store");
        byte[][] right = [.. Directory.GetFiles(world.At("archive"), "*.dirtree", SearchOption.AllDirectories).Select(File.ReadAllBytes)];
        byte[] commit = File.ReadAllBytes(Directory.GetFiles(world.At("archive"), "*.commit", SearchOption.AllDirectories)[0]);
        var random = new Random(17);
        using ObjectStore store = ObjectStore.OpenToWrite(world.At("objects"), _ => { }, CancellationToken.None);
        int refused = 0;
        for (int i = 0; i < 400; i++)
        {
            bool isTree = i % 2 == 0;
            byte[] bytes = [.. isTree ? right[random.Next(right.Length)] : commit];
            for (int change = random.Next(1, 4); change > 0; change--)
            {
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            }

            bytes = random.Next(4) == 0 ? bytes[..random.Next(bytes.Length)] : bytes;
            string name = isTree ? CommitOf(bytes) : Add("commit", bytes);
            try
            {
                OstreeCommits.Run(store, new OstreeSource(world.At("archive"), name, 0), new CommitRequest { Ref = "fuzz", Time = 0 }, new ImportOptions());
            }
            catch (StoreException)
            {
                refused++;
            }
        }

        Assert.InRange(refused, 200, 400);
    }

    private string TreeOf(string commit) => world.Shell($"$H show {commit} | grep '^tree '").Succeeded();

    private string AFile() => Directory.GetFiles(world.At("archive"), "*.filez", SearchOption.AllDirectories)[0];

    /// <summary>Adds a tree and a commit of it, and returns the commit's checksum.</summary>
    private string CommitOf(byte[] tree)
    {
        byte[] commit = File.ReadAllBytes(world.Shell("c=$(cat archive/refs/heads/x); echo -n $PWD/archive/objects/${c:0:2}/${c:2}.commit").Succeeded());
        byte[] root = Convert.FromHexString(world.Shell("ostree --repo=archive ls -dC x / | awk '{ printf $5 }'").Succeeded());
        int at = commit.AsSpan().IndexOf(root);
        Assert.True(at > 0);
        Convert.FromHexString(Add("dirtree", tree)).CopyTo(commit, at);
        return Add("commit", commit);
    }

    private string Add(string kind, byte[] bytes)
    {
        string name = Convert.ToHexStringLower(SHA256.HashData(bytes));
        string folder = Path.Combine(world.At("archive"), "objects", name[..2]);
        Directory.CreateDirectory(folder);
        File.WriteAllBytes(Path.Combine(folder, $"{name[2..]}.{kind}"), bytes);
        return name;
    }

    private static void Write(string path, byte[] bytes)
    {
        using var file = new FileStream(path, FileMode.Truncate, FileAccess.Write);
        file.Write(bytes);
    }

    private void Refuses(string repository, string words, string revision = "x")
    {
        ToolResult result = world.Run("commit", "-b", "bad", "--ostree", repository, revision);
        Assert.Equal((1, ""), (result.ExitCode, result.Output));
        Assert.Contains(words, result.Error);
        Assert.True(CliWorld.IsOneSentence(result), result.Error);
        Assert.False(File.Exists(world.At("objects/refs/bad")));
    }
}
