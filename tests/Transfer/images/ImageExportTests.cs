using System.Text.Json;
using HackTree.Tests.Cli;
using HackTree.Tests.Support;

namespace HackTree.Tests.Transfer;

/// <summary>Commits become container images: <c>export --oci</c>. Judged by umoci, skopeo and buildah.</summary>
public sealed class ImageExportTests : IDisposable
{
    // Every kind of change, among them those whose order in a layer matters.
    private const string Change = """
        cd tree; echo more >> etc/passwd; rm usr/share/pipe; mkdir usr/share/pipe; echo in > usr/share/pipe/in; rm -r usr/share/doc; : > usr/share/doc
        mv usr/bin/hi usr/bin/moved; mkdir -p deep/er/still; echo new > deep/er/still/new; chmod 700 usr/bin; rm usr/share/$'bad\377name'; rm usr/bin/hello; echo file > usr/bin/hello; cd ..
        find tree -exec touch -h -d '2025-05-06 07:08:09Z' {} +
        """;

    private readonly CliWorld world = new();

    public void Dispose() => world.Dispose();

    [Theory]
    [InlineData("gzip")]
    [InlineData("zstd")]
    public void A_tree_goes_through_umoci_and_back_unchanged(string layers)
    {
        Tools.Require("umoci");
        Tools.Require("skopeo");
        Assert.SkipUnless(HackTree.Linux.Sys.IsRoot, "only root can unpack owners");
        world.Commit("web");
        world.Shell(Change).Succeeded();
        world.Commit("web", "--meta", "oci.config.Cmd=[\"/usr/bin/moved\"]");
        Assert.Matches("^sha256:[0-9a-f]{64}\n$", world.Run("export", "web", "--oci", "img:v1", "--layers", layers, "--platform", "linux/amd64").Succeeded());
        world.Run("commit", "-q", "-b", "back", "--oci", "img:v1").Succeeded();
        AssertSameTree("web", "back");

        // Debian 12's umoci does not read zstd.
        if (layers == "gzip")
        {
            world.Shell("skopeo copy -q --insecure-policy oci:img:v1 oci:copy:v1 && umoci unpack --image copy:v1 bundle").Succeeded();
            Comparison.Same(world.At("tree"), world.At("bundle/rootfs"));
            world.Shell("rm bundle/rootfs/etc/passwd; umoci repack --image copy:v2 bundle").Succeeded();
            world.Run("commit", "-q", "-b", "repacked", "--oci", "copy:v2").Succeeded();
            Assert.Contains("etc/passwd", world.Run("diff", "web", "repacked").Output);
        }

        JsonElement config = JsonDocument.Parse(world.Shell("skopeo inspect --config oci:img:v1").Succeeded()).RootElement;
        Assert.Equal("/usr/bin/moved", config.GetProperty("config").GetProperty("Cmd")[0].GetString());
        Assert.Equal(("amd64", 2), (config.GetProperty("architecture").GetString(), config.GetProperty("rootfs").GetProperty("diff_ids").GetArrayLength()));
    }

    [Fact]
    public void Images_of_one_history_share_their_layers_and_are_always_the_same()
    {
        world.Commit("web");
        var before = new HashSet<string>();
        string last = "";
        for (int i = 0; i < 6; i++)
        {
            world.Shell($"echo {i} > tree/etc/number{i}").Succeeded();
            world.Commit("web");
            world.Run("export", "web", "--oci", $"img:v{i}").Succeeded();
            string[] layers = Layers("img", $"v{i}");
            Assert.InRange(layers.Length, 2, i + 2);

            // All but the last are those of images before, or end at commits of which no image was made.
            Assert.True(before.Count == 0 || before.Contains(layers[0]));
            before.UnionWith(layers);
            last = world.Shell($"sha256sum < img/index.json > sum; cat sum; rm -rf again; $H export web --oci again:v{i}").Succeeded();
            Assert.Equal(layers, Layers("again", $"v{i}"));
        }

        ToolResult twice = world.Run("export", "web", "--oci", "img:v5");
        Assert.Contains("0 of them new there", twice.Error);
        Assert.EndsWith(twice.Output, last, StringComparison.Ordinal);
    }

    [Fact]
    public void A_history_of_another_tree_adds_no_layers()
    {
        world.Shell("head -c 9M /dev/zero > tree/zeros").Succeeded();
        world.Commit("web");
        world.Shell("rm -r tree; mkdir tree; echo x > tree/x").Succeeded();
        world.Commit("web");
        world.Run("export", "web", "--oci", "img").Succeeded();
        Assert.Single(Layers("img", "latest"));
    }

    [Fact]
    public void What_no_image_can_have_is_refused()
    {
        world.Shell("echo x > tree/etc/.wh.x").Succeeded();
        world.Commit("whiteout");
        TransferWorld.AssertRefused(world.Run("export", "whiteout", "--oci", "img"), "etc/.wh.x: in a container image such a name");
        world.Shell("rm tree/etc/.wh.x").Succeeded();
        world.Commit("web", "--meta", "oci.config.Cmd=/bin/sh");
        TransferWorld.AssertRefused(world.Run("export", "web", "--oci", "img"), "annotation oci.config.Cmd is no JSON: /bin/sh");
        world.Commit("good");
        TransferWorld.AssertRefused(world.Run("export", "good", "--oci", "tree"), "no OCI image layout");
        Assert.False(Path.Exists(world.At("img/index.json")));
        Assert.Equal(2, world.Run("export", "web").ExitCode);
        Assert.Equal(2, world.Run("export", "web", "--tar", "x", "--oci", "img").ExitCode);
        Assert.Equal(2, world.Run("export", "web", "--tar", "x", "--layers", "zstd").ExitCode);
        Assert.Equal(2, world.Run("export", "web", "--oci", "img", "--layers", "xz").ExitCode);
    }

    [Fact]
    public void A_name_too_long_for_a_whiteout_makes_one_whole_layer()
    {
        world.Shell("touch tree/$(printf '%0253d' 0)").Succeeded();
        world.Commit("web");
        world.Shell("rm tree/00*").Succeeded();
        world.Commit("web");
        world.Run("export", "web", "--oci", "img").Succeeded();
        Assert.Single(Layers("img", "latest"));
    }

    [Fact]
    public void A_registry_gets_the_image_and_others_read_it()
    {
        Tools.Require("skopeo");
        Tools.Require("buildah");
        Assert.SkipUnless(HackTree.Linux.Sys.IsRoot, "only root can mount");
        using var registered = new TransferWorld();
        using Server registry = Server.Registry(registered);
        string place = $"127.0.0.1:{registry.Port}/some/web";
        world.Commit("web");
        world.Run("export", "web", "--oci", $"oci://{place}:v1").Succeeded();
        world.Shell(Change).Succeeded();
        world.Commit("web");
        ToolResult second = world.Run("export", "web", "--oci", $"oci://{place}:v2");
        Assert.Contains("an image of 2 layers, 1 of them new there", second.Error);
        Assert.Equal(second.Output.Trim(), world.Shell($"skopeo inspect --tls-verify=false docker://{place}:v2").Succeeded().Split("\"Digest\": \"")[1].Split('"')[0]);
        world.Run("commit", "-q", "-b", "back", "--oci", $"oci://{place}:v2").Succeeded();
        AssertSameTree("web", "back");

        // The directory at the top belongs to buildah's mount.
        world.Shell($$"""
            set -e
            echo '{"default":[{"type":"insecureAcceptAnything"}]}' > policy
            b() { buildah --root $PWD/bs --runroot $PWD/br --storage-driver vfs "$@"; }
            c=$(b from -q --signature-policy policy --tls-verify=false docker://{{place}}:v2)
            m=$(b mount $c)
            mkdir mounted; cp -a $m/. mounted/; touch -r tree mounted; chmod --reference=tree mounted
            echo added > $m/added; b commit -q --signature-policy policy $c oci:$PWD/img:built
            b rm $c > rm; rm -rf bs br
            """).Succeeded();
        Comparison.Same(world.At("tree"), world.At("mounted"));
        world.Run("commit", "-q", "-b", "built", "--oci", "img:built").Succeeded();
        Assert.Matches(@"^A +added\n", world.Run("diff", "web", "built").Output.Replace("M .\n", "", StringComparison.Ordinal));
    }

    private void AssertSameTree(string one, string other) => Assert.Equal(
        world.Shell($"$H export {one} --tar - | sha256sum").Succeeded(),
        world.Shell($"$H export {other} --tar - | sha256sum").Succeeded());

    /// <summary>The digests of an image's layers, read without HackTree.</summary>
    private string[] Layers(string layout, string tag) => world.Shell($$"""
        python3 - <<'END'
        import json
        at = '{{layout}}/'
        entry = [e for e in json.load(open(at + 'index.json'))['manifests'] if e['annotations']['org.opencontainers.image.ref.name'] == '{{tag}}'][0]
        for layer in json.load(open(at + 'blobs/sha256/' + entry['digest'][7:]))['layers']: print(layer['digest'])
        END
        """).Succeeded().Split('\n', StringSplitOptions.RemoveEmptyEntries);
}
