using CsCheck;
using HackTree.Store;
using HackTree.Transfer;

namespace HackTree.Tests.Transfer;

/// <summary>Lists of trusted keys, each beside what <c>ssh-keygen -Y verify</c> makes of the same list.</summary>
public sealed class SignTrustTests : IDisposable
{
    private static readonly byte[] Text = "text\n"u8.ToArray();

    private readonly SignKeys keys = new();

    public void Dispose() => keys.Dispose();

    [Theory]
    [InlineData("alice", true)]
    [InlineData("alice,bob", true)]
    [InlineData("\"alice\"", true)]
    [InlineData("* namespaces=\"hacktree\"", true)]
    [InlineData("alice namespaces=\"git,hack*\"", true)]
    [InlineData("alice NAMESPACES=\"hacktree\"", true)]
    [InlineData("alice namespaces=\"git\"", false)]
    [InlineData("alice namespaces=\"*,!hacktree\"", false)]
    [InlineData("alice namespaces=\"h?cktree\",valid-after=\"20200101\"", true)]
    [InlineData("alice valid-after=\"20200101\",valid-before=\"29991231Z\"", true)]
    [InlineData("alice valid-before=\"20200101\"", false)]
    [InlineData("alice valid-before=\"202001011200Z\"", false)]
    [InlineData("alice valid-after=\"29990101235959\"", false)]
    public void A_list_is_read_as_ssh_keygen_reads_it(string who, bool isGood)
    {
        keys.Make("key");
        string list = keys.Trust("trusted", (who, "key"));
        byte[] armored = SshArmor.Write([keys.Sign("key", Text)], Signatures.MaxLength);
        Assert.Equal(isGood, keys.Judge(list, Text, armored));
        Assert.Equal(isGood, IsTrusted(list));
    }

    [Theory]
    [InlineData("alice sometimes")]
    [InlineData("alice namespaces=hacktree")]
    [InlineData("alice namespaces=\"hacktree")]
    [InlineData("alice namespaces=\"hacktree\",namespaces=\"git\"")]
    [InlineData("alice namespaces=\"hacktree\"valid-after=\"20200101\"")]
    [InlineData("alice valid-before=\"soon\"")]
    [InlineData("alice valid-before=\"20209901\"")]
    [InlineData("alice cert-authority")]
    public void A_wrong_line_is_refused_and_its_number_told(string who)
    {
        keys.Make("key");
        byte[] armored = SshArmor.Write([keys.Sign("key", Text)], Signatures.MaxLength);
        Assert.False(keys.Judge(keys.Trust("trusted", (who, "key")), Text, armored));
        string list = keys.Trust("trusted", ("# one", "key"), (who, "key"));
        Assert.StartsWith($"{list}:2: ", Assert.Throws<StoreException>(() => IsTrusted(list)).Message);
    }

    [Fact]
    public void Another_key_is_not_trusted_and_the_reason_is_told()
    {
        keys.Make("key");
        keys.Make("other");
        Assert.False(IsTrusted(keys.Trust("trusted", ("alice", "other"))));
        string expired = keys.Trust("expired", ("alice valid-before=\"20200101Z\"", "key"));
        Assert.Null(TrustedKeys.Read(expired).Find(Key, SshSignature.OfCommits, Now, out string? fault));
        Assert.Equal($"{expired}:1: the key was trusted until 2020-01-01 00:00Z only", fault);
        Assert.True(IsTrusted(keys.Trust("both", ("alice valid-before=\"20200101Z\"", "key"), ("alice", "key"))));
    }

    [Fact]
    public void Of_a_directory_only_files_with_plain_names_count()
    {
        keys.Make("key");
        string folder = Directory.CreateDirectory(keys.At("trusted.d")).FullName;
        Assert.Equal(0, TrustedKeys.ReadFolder(folder).Count);
        foreach (string name in (string[])["release~", "release.dpkg-old", ".release.swp", "release.hacktree-new"])
        {
            File.Copy(keys.Trust("trusted", ("alice", "key")), Path.Combine(folder, name));
            Assert.Equal(0, TrustedKeys.ReadFolder(folder).Count);
        }

        File.Copy(keys.Trust("trusted", ("alice", "key")), Path.Combine(folder, "10_release-Keys"));
        Assert.Equal(1, TrustedKeys.ReadFolder(folder).Count);
        Assert.Equal(0, TrustedKeys.ReadFolder(keys.At("nothing")).Count);
    }

    [Fact]
    public void Any_text_is_a_list_or_refused()
    {
        keys.Make("key");
        string line = File.ReadAllText(keys.Trust("trusted", ("alice namespaces=\"hacktree\",valid-after=\"20200101\"", "key")));
        Gen<string> piece = Gen.OneOf(Gen.Const("\""), Gen.Const(","), Gen.Const(" "), Gen.Const("\\"), Gen.Const("="), Gen.Const("\n"), Gen.String[0, 3]);
        Gen.Select(Gen.Int[0, 60], piece, Gen.Int[0, 20]).Array[1, 3].Sample(
            changes =>
            {
                string text = line;
                foreach ((int at, string put, int cut) in changes)
                {
                    int place = Math.Min(at, text.Length);
                    text = text.Remove(place, Math.Min(cut, text.Length - place)).Insert(place, put);
                }

                try
                {
                    _ = AllowedSigners.Parse(text, "list").Count();
                }
                catch (StoreException)
                {
                }
            });
    }

    private SshKey Key => keys.Sign("key", Text).Key;

    private static long Now => DateTimeOffset.UtcNow.ToUnixTimeSeconds();

    private bool IsTrusted(string list) => TrustedKeys.Read(list).Find(Key, SshSignature.OfCommits, Now, out _) is not null;
}
