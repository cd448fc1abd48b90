using System.Text.Json;
using HackTree.Tests.Cli;
using HackTree.Tests.Support;

namespace HackTree.Tests.Transfer;

/// <summary>Container images become commits: <c>commit --oci</c>.</summary>
public sealed class ImageImportTests : IDisposable
{
    private readonly CliWorld world = new();

    public void Dispose() => world.Dispose();

    [Theory]
    [InlineData("tag('v1', manifest([layer(LOW), layer(TOP)]))")]
    [InlineData("tag('v1', manifest([layer(LOW, lambda d: d, TYPE), layer(TOP, zst, TYPE + '+zstd')]))")]
    // gzip of several members, zstd of several frames with one that is to be skipped before, between and behind them.
    [InlineData("tag('v1', manifest([layer(LOW, lambda d: gz(d[:700]) + gz(d[700:])), layer(TOP, lambda d: SKIP + zst(d[:600]) + SKIP + zst(d[600:]) + SKIP, TYPE + '+zstd')]))")]
    [InlineData("tag('v1', index([{**manifest([layer(LOW)]), 'platform': {'os': 'linux', 'architecture': 's390x'}}, {**manifest([layer(LOW), layer(TOP)]), 'platform': {'os': 'linux', 'architecture': 'amd64'}}]))")]
    public void Layers_are_laid_over_one_another(string image)
    {
        Make("SKIP = bytes.fromhex('512a4d1803000000') + b'toc'\nTOP = tar('f etc/.wh.a', 'f etc/c new', 'h usr/y usr/x')\n" + image);
        Commit("web", "img:v1", "--platform", "linux/amd64");
        Assert.Equal("etc etc/b etc/c usr usr/x usr/y", Names("web"));
        Assert.Equal("five", world.Run("cat", "web", "usr/y").Succeeded());
        JsonElement meta = Show("web").GetProperty("meta");
        Assert.Equal("linux/amd64", meta.GetProperty("oci.platform").GetString());
        Assert.Equal("""["A=b c"]""", meta.GetProperty("oci.config.Env").GetString());
        Assert.Equal("""["/bin/sh"]""", meta.GetProperty("oci.config.Cmd").GetString());
        Assert.Matches("^sha256:[0-9a-f]{64}$", meta.GetProperty("oci.image").GetString()!);
        world.Run("fsck").Succeeded();
    }

    [Fact]
    public void Layers_that_were_read_are_not_read_again()
    {
        Make("tag('v1', manifest([layer(LOW), layer(tar('f etc/c c'))]))\ntag('v2', manifest([layer(LOW), layer(tar('f etc/c d', 'f etc/.wh.b'))]))");
        Commit("web", "img:v1");
        string second = Commit("web", "img:v2");
        Assert.Equal("etc etc/a etc/c usr usr/x", Names("web"));

        // Of the first layer there is only the manifest's word.
        world.Shell("rm $(grep -l . -r img/blobs/sha256 | xargs ls -S | xargs file | grep gzip | cut -d: -f1)").Succeeded();
        Assert.Equal(Tree("web"), Tree(Commit("other", "img:v2")));
        Assert.Equal(second, Show("web").GetProperty("commit").GetString());
        Assert.Equal(0, world.Run("gc").ExitCode);
        Commit("third", "img:v2");

        // What is left out is a part of what is remembered.
        ToolResult refused = world.Run("commit", "-b", "fourth", "--oci", "img:v2", "--exclude", "c");
        Assert.Contains("it is missing there", refused.Error);
    }

    [Fact]
    public void The_platform_is_chosen_and_a_wrong_one_is_refused()
    {
        Make("""
            def of(arch, text, **more): return {**manifest([layer(tar('f is ' + text))]), 'platform': {'os': 'linux', 'architecture': arch, **more}}
            attestation = {**manifest([]), 'platform': {'os': 'unknown', 'architecture': 'unknown'}}
            tag('all', index([attestation, of('arm64', 'arm64'), of('arm', 'v6', variant='v6'), of('arm', 'v7', variant='v7'), of('amd64', 'v3', variant='v3'), of('amd64', 'plain')]))
            tag('one', manifest([layer(LOW)]))
            """);
        foreach ((string platform, string text) in new[] { ("linux/arm64", "arm64"), ("linux/arm/v7", "v7"), ("linux/amd64", "plain"), ("linux/amd64/v3", "v3") })
        {
            Commit("web", "img:all", "--platform", platform);
            Assert.Equal(text, world.Run("cat", "web", "is").Succeeded());
        }

        Refuses("there is no image for linux/riscv64; there are some for unknown/unknown, linux/arm64", "img:all", "--platform", "linux/riscv64");
        Refuses("the image is for linux/amd64, and not for linux/arm64", "img:one", "--platform", "linux/arm64");
        Assert.Equal(2, world.Run("commit", "-b", "x", "--oci", "img:one", "--platform", "linux").ExitCode);
        Assert.Equal(2, world.Run("commit", "-b", "x", "--platform", "linux/arm64", "tree").ExitCode);
        Assert.Equal(2, world.Run("commit", "-b", "x", "--oci", "img:one", "tree").ExitCode);
    }

    [Theory]
    [InlineData("tag('v1', manifest([layer(LOW), layer(LOW, diff='sha256:' + '0' * 64)]))", "layer 2 of 2 is another one than the image says")]
    [InlineData("l = layer(LOW)\nopen('img/blobs/sha256/' + l['digest'][7:], 'r+b').write(b'x' * l['size'])\ntag('v1', manifest([l]))", "layer 1 of 1")]
    [InlineData("l = layer(LOW)\nl['size'] -= 1\ntag('v1', manifest([l]))", "its file has \\d+ bytes instead of \\d+")]
    [InlineData("tag('v1', manifest([layer(LOW)], config([])))", "has 0 layers and the manifest 1")]
    [InlineData("tag('v1', manifest([layer(LOW)], {'os': 'linux'}))", "no configuration of a container image")]
    [InlineData("tag('v1', manifest([layer(LOW, type=TYPE + '+encrypted')]))", "its layer 1 is of the kind 'application/vnd.oci.image.layer.v1.tar\\+encrypted'")]
    [InlineData("tag('v1', manifest([layer(LOW, type='application/vnd.docker.image.rootfs.foreign.diff.tar.gzip')]))", "of which no tree can be made")]
    [InlineData("tag('v1', manifest([layer(LOW)], manifests=[]))", "no manifest of a container image")]
    [InlineData("tag('v1', manifest([layer(tar('f ../x x'))]))", "layer 1 of 1: ../x: its path leaves the tree")]
    [InlineData("tag('v1', manifest([layer(tar('l out /etc')), layer(tar('f out/x x'))]))", "layer 2 of 2: out/x: its path goes through out, which is no directory")]
    [InlineData("tag('v1', manifest([layer(LOW), layer(tar('h x etc/none'))]))", "layer 2 of 2: x: linked to etc/none, which is no file")]
    [InlineData("tag('v1', manifest([layer(LOW, lambda d: gz(d)[:-9])]))", "the gzip data is damaged")]
    [InlineData("tag('v1', manifest([layer(LOW, lambda d: pipe(b'', 'sh', '-c', 'head -c 1100M /dev/zero | zstd -q -1'), TYPE + '+zstd')]))", "it unpacks to more than")]
    [InlineData("i = index([])\nfor n in range(9): i = index([{**i, 'platform': {'os': 'linux', 'architecture': 'amd64'}}])\ntag('v1', i)", "its indexes do not end")]
    public void An_image_that_is_not_what_it_says_is_refused_and_nothing_is_named(string image, string pattern)
    {
        Make(image);
        ToolResult result = world.Run("commit", "-q", "-b", "web", "--oci", "img:v1", "--platform", "linux/amd64");
        TransferWorld.AssertRefused(result, pattern);
        Assert.Equal("", world.Run("refs").Succeeded());
        world.Run("fsck").Succeeded();
    }

    [Fact]
    public void Archives_of_skopeo_and_docker_are_read()
    {
        Tools.Require("skopeo");
        Make("tag('v1', manifest([layer(LOW), layer(tar('f etc/.wh.a', 'f etc/c new'))]))\ntag('v2', manifest([layer(LOW)]))");
        string tree = Tree(Commit("web", "img:v1"));
        world.Shell("""
            set -e
            skopeo copy -q --insecure-policy oci:img:v1 docker-archive:docker.tar:example.com/web:v1
            skopeo copy -q --insecure-policy oci:img:v1 oci-archive:oci.tar:v1
            gzip -k docker.tar; zstd -q oci.tar; xz -k oci.tar
            mkdir old; tar -C old -xf docker.tar
            python3 - <<'END'
            # As `docker save` writes it: a layer that was there is a link to it.
            import json, os, shutil
            m = json.load(open('old/manifest.json'))
            os.makedirs('old/one', exist_ok=True); os.makedirs('old/two', exist_ok=True)
            shutil.move('old/' + m[0]['Layers'][0], 'old/one/layer.tar')
            if os.path.lexists('old/two/layer.tar'): os.remove('old/two/layer.tar')
            os.symlink('../one/layer.tar', 'old/two/layer.tar')
            m[0]['Layers'][0] = 'two/layer.tar'
            json.dump(m, open('old/manifest.json', 'w'))
            END
            tar -C old -cf old.tar .
            """).Succeeded();
        int number = 0;
        foreach (string archive in new[] { "docker.tar", "docker.tar:v1", "docker.tar.gz", "oci.tar", "oci.tar:v1", "oci.tar.zst", "oci.tar.xz", "old.tar" })
        {
            // Layers from which something else is left out are read again.
            Assert.Equal(tree, Tree(Commit("from", archive, "--exclude", $"none{number++}")));
        }

        Assert.Equal(tree, Tree(world.Shell("cat docker.tar.gz | $H commit -q -b piped --oci -").Succeeded().Trim()));
        Refuses("no image in it has the tag v2; it has example.com/web:v1", "docker.tar:v2");
        Refuses("it has no tag 'v9'; its tags are v1", "oci.tar:v9");
        Refuses("it has more than one image, so name a tag; its tags are v1, v2", "img");
        world.Shell("tar -cf plain.tar tree; head -c 3000 docker.tar > cut.tar").Succeeded();
        Refuses("neither a manifest.json nor an index.json", "plain.tar");
        Refuses("cut.tar: ", "cut.tar");
        Refuses("no such file or directory", "nothing");
    }

    [Fact]
    public void An_image_comes_from_a_registry_by_tag_and_by_digest()
    {
        Tools.Require("skopeo");
        using var registered = new TransferWorld();
        using Server registry = Server.Registry(registered);
        Make("""
            amd, arm = manifest([layer(LOW), layer(tar('f etc/c new'))]), manifest([layer(tar('f arm arm'))])
            tag('v1', index([{**amd, 'platform': {'os': 'linux', 'architecture': 'amd64'}}, {**arm, 'platform': {'os': 'linux', 'architecture': 'arm64'}}]))
            tag('arm', arm)
            """);
        string place = $"127.0.0.1:{registry.Port}/some/web";
        world.Shell($"skopeo copy -q --insecure-policy --all --dest-tls-verify=false oci:img:v1 docker://{place}:v1; skopeo copy -q --insecure-policy --dest-tls-verify=false --format v2s2 oci:img:arm docker://{place}:latest").Succeeded();
        Assert.Equal(Tree(Commit("local", "img:v1", "--platform", "linux/amd64")), Tree(Commit("remote", $"oci://{place}:v1", "--platform", "linux/amd64")));
        Commit("arm", $"oci://{place}:v1", "--platform", "linux/arm64");
        Assert.Equal("arm", Names("arm"));
        Assert.Equal("arm", Names(Commit("latest", $"oci://{place}")));
        string digest = world.Shell($"skopeo inspect --raw --tls-verify=false docker://{place}:v1 | sha256sum | cut -d' ' -f1").Succeeded().Trim();
        Assert.Equal(Tree("local"), Tree(Commit("digest", $"oci://{place}@sha256:{digest}", "--platform", "linux/amd64")));
        Refuses("the registry has no such manifest", $"oci://{place}@sha256:{new string('1', 64)}");
        Refuses("the registry has no tag 'v9' there", $"oci://{place}:v9");
        Refuses("a digest is 64 hexadecimal digits", $"oci://{place}@sha256:12");
        world.Run("push", "local", $"oci://{place}").Succeeded();
        Refuses("it is a commit of hacktree and no container image; pull it", $"oci://{place}:local");
    }

    [Fact]
    public void An_image_of_umoci_is_the_tree_that_umoci_unpacks()
    {
        Tools.Require("umoci");
        Assert.SkipUnless(HackTree.Linux.Sys.IsRoot, "only root can unpack owners");
        world.Shell("""
            set -e
            umoci init --layout img; umoci new --image img:v0
            umoci unpack --image img:v0 b1
            cp -a tree/. b1/rootfs/; cd b1/rootfs; mkdir -p etc/sub old; echo one > etc/a; ln etc/a etc/a2; echo c > etc/sub/c; ln -s usr/lib lib; chmod 4755 etc/a; echo x > old/x; cd ../..
            umoci repack --image img:v1 b1
            umoci unpack --image img:v1 b2
            cd b2/rootfs; rm -r etc/sub old lib etc/passwd; mkdir etc/sub lib; echo n > etc/sub/n; echo z > lib/z; echo more >> usr/bin/hi; mv etc/a2 usr/moved; : > old; cd ../..
            umoci repack --image img:v2 b2
            umoci unpack --image img:v2 b3
            """).Succeeded();
        foreach ((string tag, string bundle) in new[] { ("v1", "b2.orig"), ("v2", "b3") })
        {
            _ = tag == "v1" ? world.Shell("umoci unpack --image img:v1 b2.orig").Succeeded() : "";
            Commit("web", $"img:{tag}");
            world.Run("checkout", "web", tag).Succeeded();
            Comparison.Same(world.At($"{bundle}/rootfs"), world.At(tag));
        }
    }

    private void Make(string lines) => ImageMaker.Make(world, lines);

    private string Commit(string name, string image, params string[] more) => world.Run(["commit", "-q", "-b", name, "--oci", image, .. more]).Succeeded().Trim();

    private void Refuses(string words, string image, params string[] more)
    {
        ToolResult result = world.Run(["commit", "-q", "-b", "refused", "--oci", image, .. more]);
        Assert.Contains(words, result.Error);
        Assert.Equal((1, "", true), (result.ExitCode, result.Output, CliWorld.IsOneSentence(result)));
    }

    private JsonElement Show(string revision) => JsonDocument.Parse(world.Run("show", "--json", revision).Succeeded()).RootElement;

    private string Tree(string revision) => Show(revision).GetProperty("tree").GetString()!;

    private string Names(string revision) => string.Join(' ', JsonDocument.Parse(world.Run("ls", "-R", "--json", revision).Succeeded())
        .RootElement.EnumerateArray().Select(entry => entry.GetProperty("path").GetString()));
}
