using System.Text.Json;
using HackTree.Tests.Cli;
using HackTree.Tests.Support;

namespace HackTree.Tests.Transfer;

/// <summary>Signed commits by the program: signing, telling who signed, and what is refused without a signature.</summary>
public sealed class SignCommandTests : IDisposable
{
    private readonly SignKeys keys = new();
    private readonly CliWorld world = new();

    public SignCommandTests()
    {
        keys.Make("alice");
        keys.Make("mallory");
        keys.Trust("trusted", ("alice namespaces=\"hacktree\"", "alice"));
        keys.Trust("strangers", ("mallory", "mallory"));
    }

    private string Trusted => keys.At("trusted");

    public void Dispose()
    {
        world.Dispose();
        keys.Dispose();
    }

    [Fact]
    public void A_commit_is_signed_and_ssh_keygen_agrees()
    {
        string commit = world.Commit();
        Refuses("is not signed", "verify", "debian/test", "--keys", Trusted);
        world.Run("sign", "debian/test", "--sign-key", keys.At("alice")).Succeeded();
        Assert.Matches("^alice  ssh-ed25519 SHA256:.{43}\n$", world.Run("verify", "debian/test", "--keys", Trusted).Succeeded());
        string digest = world.Shell(
            $"python3 {Script} && ssh-keygen -Y verify -f '{Trusted}' -I alice -n hacktree -s objects/signatures/{commit}.sig < text && sha256sum < text").Succeeded();
        Assert.Contains(commit, digest);
        Assert.Matches("\nsigned   ssh-ed25519 SHA256:", world.Run("show", "debian/test").Succeeded());
        Assert.Equal(1, Json("show", "--json", "debian/test").GetProperty("signatures").GetArrayLength());
        world.Run("fsck").Succeeded();
    }

    [Fact]
    public void Commit_signs_what_it_makes()
    {
        world.Commit("debian/test", "--sign", keys.At("alice"));
        world.Run("verify", "debian/test", "--keys", Trusted).Succeeded();
        world.Shell("echo more > tree/etc/more").Succeeded();
        world.Refuses(1, "no such file", ["commit", "-b", "debian/test", "--sign", "nothing", "tree"]);
        world.Commit();
        Refuses("is not signed", "verify", "debian/test", "--keys", Trusted);
        world.Run("verify", "debian/test^", "--keys", Trusted).Succeeded();

        // Who asks for a signature gets it, also if there is nothing to commit.
        world.Commit("debian/test", "--skip-if-unchanged", "--sign", keys.At("alice"));
        world.Run("verify", "debian/test", "--keys", Trusted).Succeeded();
        world.Commit("debian/test", "--skip-if-unchanged", "--sign", keys.At("alice"));
        Assert.Equal(1, Json("show", "--json", "debian/test").GetProperty("signatures").GetArrayLength());
    }

    [Fact]
    public void A_commit_that_cannot_be_signed_is_made_and_the_command_says_so()
    {
        string locked = keys.Make("locked", "-t", "ed25519", "-N", "secret words");
        ToolResult result = world.Run("commit", "-b", "debian/test", "--sign", locked, "tree");
        Assert.Equal(1, result.ExitCode);
        Assert.Matches("hacktree: commit [0-9a-f]{16} is in the store and is not signed: .*locked: ssh-keygen does not sign with it", result.Error);
        world.Run("show", "debian/test").Succeeded();
    }

    [Theory]
    [InlineData("mallory", "does not have the key ssh-ed25519 SHA256:")]
    [InlineData("alice valid-before=\"20200101Z\"", "the key was trusted until 2020-01-01")]
    [InlineData("alice namespaces=\"git\"", "for other things only")]
    [InlineData("alice cert-authority", "certificates are not known here")]
    public void A_signature_that_the_list_does_not_cover_is_refused(string who, string why)
    {
        world.Commit("debian/test", "--sign", keys.At("alice"));
        keys.Trust("list", (who, who.Split(' ')[0]));
        Refuses(why, "verify", "debian/test", "--keys", keys.At("list"));
    }

    [Fact]
    public void Another_commits_signature_or_a_damaged_one_is_worth_nothing()
    {
        string first = world.Commit("debian/test", "--sign", keys.At("alice"));
        world.Shell("echo more > tree/etc/more").Succeeded();
        string second = world.Commit();
        world.Shell($"cp objects/signatures/{first}.sig objects/signatures/{second}.sig").Succeeded();
        Refuses("is none of this commit", "verify", "debian/test", "--keys", Trusted);
        Assert.DoesNotContain("\nsigned ", world.Run("show", "debian/test").Succeeded());
        world.Shell($"echo nonsense > objects/signatures/{second}.sig").Succeeded();
        Refuses("is not signed", "verify", "debian/test", "--keys", Trusted);
        world.Shell($"head -c 70000 /dev/zero > objects/signatures/{second}.sig").Succeeded();
        Assert.Equal(1, world.Run("verify", "debian/test", "--keys", Trusted).ExitCode);
        Assert.Contains($"signatures/{second}.sig: not a commit's signatures", world.Run("fsck").Output);
        Refuses("has no keys", "verify", "debian/test^", "--keys", "/dev/null");
    }

    [Fact]
    public void Several_may_sign_and_one_that_is_trusted_suffices()
    {
        world.Commit("debian/test", "--sign", keys.At("mallory"));
        world.Run("sign", "debian/test", "--sign-key", keys.At("alice")).Succeeded();
        world.Run("sign", "debian/test", "--sign-key", keys.At("alice")).Succeeded();
        JsonElement told = Json("verify", "--json", "debian/test", "--keys", Trusted);
        Assert.Equal(["good", "untrusted"], told.GetProperty("signatures").EnumerateArray().Select(each => each.GetProperty("worth").GetString()));
    }

    [Fact]
    public void Gc_keeps_signatures_of_commits_that_are_needed_and_fsck_knows_the_room()
    {
        string first = world.Commit("debian/test", "--sign", keys.At("alice"));
        world.Shell("echo more > tree/etc/more").Succeeded();
        string second = world.Commit("debian/test", "--sign", keys.At("alice"));
        world.Run("gc").Succeeded();
        Assert.Equal([first, second], Signed().Order(StringComparer.Ordinal).OrderBy(each => each != first));
        world.Run("gc", "--depth", "0", "--dry-run").Succeeded();
        Assert.Equal(2, Signed().Length);
        world.Run("gc", "--depth", "0").Succeeded();
        Assert.Equal([second], Signed());
        world.Run("fsck").Succeeded();
        world.Shell("echo x > objects/signatures/stray").Succeeded();
        ToolResult check = world.Run("fsck");
        Assert.Contains("signatures/stray: not a commit's signatures", check.Output);
        Assert.Equal(3, check.ExitCode);
    }

    [Fact]
    public void Signatures_travel_by_push_and_pull_and_survive_gc()
    {
        string commit = world.Commit("debian/test", "--sign", keys.At("alice"));
        world.Run("sign", "debian/test", "--sign-key", keys.At("mallory")).Succeeded();
        world.Run("push", "debian/test", "./remote").Succeeded();
        world.Run([.. CliWorld.Init, "other"]).Succeeded();
        world.Run("--store", "other", "pull", "--require-signature", "--keys", Trusted, "./remote:debian/test").Succeeded();
        world.Run("--store", "other", "gc").Succeeded();
        world.Run("--store", "other", "verify", "--keys", Trusted, "debian/test").Succeeded();
        world.Run("--store", "other", "verify", "--keys", keys.At("strangers"), "debian/test").Succeeded();

        // From that store to a third, through another remote, as a mirror does.
        world.Run("--store", "other", "push", "debian/test", "./mirror").Succeeded();
        world.Run("clone", "--require-signature", "--keys", Trusted, "./mirror", "third").Succeeded();
        world.Run("--store", "third", "verify", "--keys", Trusted, "debian/test").Succeeded();
    }

    [Fact]
    public void A_commit_that_was_signed_later_is_pushed_again_with_no_blob()
    {
        world.Commit();
        world.Run("push", "debian/test", "./remote").Succeeded();
        world.Run([.. CliWorld.Init, "other"]).Succeeded();
        world.Run("--store", "other", "pull", "./remote:debian/test").Succeeded();
        world.Run("--store", "other", "remote", "add", "--require-signature", "origin", "./remote").Succeeded();
        Refuses("is not signed", "--store", "other", "pull", "--keys", Trusted, "origin:debian/test");

        world.Run("sign", "debian/test", "--sign-key", keys.At("alice")).Succeeded();
        JsonElement push = Json("push", "--json", "debian/test", "./remote").GetProperty("refs")[0];
        Assert.Equal((0, true), (push.GetProperty("blobs").GetInt32(), push.GetProperty("newSignatures").GetBoolean()));
        Assert.False(Json("push", "--json", "debian/test", "./remote").GetProperty("refs")[0].GetProperty("newSignatures").GetBoolean());
        world.Run("--store", "other", "pull", "--keys", Trusted, "origin:debian/test").Succeeded();
        world.Run("--store", "other", "verify", "--keys", Trusted, "debian/test").Succeeded();
    }

    [Theory]
    [InlineData(null, "is not signed")]
    [InlineData("mallory", "does not have the key")]
    public void Without_a_good_signature_nothing_is_fetched(string? signer, string why)
    {
        world.Commit("debian/test", signer is null ? [] : ["--sign", keys.At(signer)]);
        world.Run("push", "debian/test", "./remote").Succeeded();
        string commit = world.Shell("$H show --json debian/test | python3 -c 'import json,sys; print(json.load(sys.stdin)[\"commit\"])'").Succeeded().Trim();
        world.Run([.. CliWorld.Init, "other"]).Succeeded();
        world.Run("--store", "other", "remote", "add", "--require-signature", "origin", "./remote").Succeeded();
        Assert.Contains("required", world.Run("--store", "other", "remote").Succeeded());

        // Of the remote only the manifest and the commit's text are left: whoever asks for more fails otherwise.
        world.Shell($"cd remote/blobs/sha256; for f in *; do [ $f = {commit} ] || grep -q artifactType $f || rm $f; done").Succeeded();
        string before = world.Listing();
        Refuses(why, "--store", "other", "pull", "--keys", Trusted, "origin:debian/test");
        Refuses(why, "--store", "other", "pull", "--require-signature", "--keys", Trusted, "./remote:debian/test");
        Assert.Equal(before, world.Listing());
    }

    [Fact]
    public void A_text_of_the_remote_that_is_not_the_signed_one_is_refused()
    {
        string commit = world.Commit("debian/test", "--sign", keys.At("alice"));
        world.Run("push", "debian/test", "./remote").Succeeded();
        world.Run([.. CliWorld.Init, "other"]).Succeeded();
        world.Shell($"sed -i s/subject/Subject/ remote/blobs/sha256/{commit}").Succeeded();
        Refuses("another digest", "--store", "other", "pull", "--require-signature", "--keys", Trusted, "./remote:debian/test");

        // Another commit's manifest with the signatures of the signed one.
        world.Shell("echo evil > tree/etc/evil").Succeeded();
        string evil = world.Commit();
        world.Shell($"cp objects/signatures/{commit}.sig objects/signatures/{evil}.sig").Succeeded();
        world.Run("push", "debian/test", "./remote").Succeeded();
        Refuses("is none of this commit", "--store", "other", "pull", "--require-signature", "--keys", Trusted, "./remote:debian/test");
    }

    [Fact]
    public void Deploy_takes_a_signed_commit_only_if_told_so()
    {
        world.Commit();
        ToolResult result = world.Run("deploy", "--dry-run", "--require-signature", "--keys", Trusted, "debian/test");
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("is not signed", result.Error);
        world.Run("sign", "debian/test", "--sign-key", keys.At("alice")).Succeeded();
        Assert.DoesNotContain("sign", world.Run("deploy", "--dry-run", "--require-signature", "--keys", Trusted, "debian/test").Error);
    }

    /// <summary>A script that prints a commit's text by reading no code of ours: it makes the text of what show says.</summary>
    private string Script
    {
        get
        {
            File.WriteAllText(world.At("text.py"), """
                import json, subprocess, os
                c = json.loads(subprocess.check_output([os.environ['H'], 'show', '--json', 'debian/test']))
                s = os.stat('tree')
                root = f"root {s.st_mode & 0o7777:04o} {s.st_uid} {s.st_gid} {int(s.st_mtime)}\n"
                text = f"hacktree commit 1\ntree {c['tree']}\n{root}time {c['time']}\nfiles {c['files']}\nbytes {c['bytes']}\nsubject {c['subject']}\n\n"
                open('text', 'w').write(text)
                """);
            return world.At("text.py");
        }
    }

    private string[] Signed() => [.. Directory.GetFiles(world.At("objects/signatures")).Select(Path.GetFileNameWithoutExtension).OfType<string>()];

    private JsonElement Json(params string[] arguments) => JsonDocument.Parse(world.Run(arguments).Succeeded()).RootElement;

    private void Refuses(string words, params string[] arguments) => world.Refuses(1, words, arguments);
}
