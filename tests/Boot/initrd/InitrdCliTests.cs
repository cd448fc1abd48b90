using System.Text.Json;
using HackTree.Boot;
using HackTree.Tests.Cli;
using HackTree.Tests.Support;

namespace HackTree.Tests.Boot;

/// <summary>Runs the initrd commands of the built program, because native code has the decoders in it.</summary>
public sealed class InitrdCliTests : IDisposable
{
    private readonly CliWorld world = new(hasStore: false);

    public static TheoryData<string> EachWay => InitrdSamples.EachWay;

    public void Dispose() => world.Dispose();

    [Theory]
    [MemberData(nameof(EachWay))]
    public void The_native_program_patches_verifies_and_unpatches_each_way_of_packing(string way)
    {
        File.WriteAllBytes(world.At("in"), [.. InitrdSamples.Get("microcode"), .. InitrdSamples.Get(way)]);
        world.Shell("""
            set -e
            code=0; $H initrd verify in > said || code=$?; [ $code = 3 ]; grep -q 'carries nothing of HackTree' said
            $H initrd patch in out
            $H initrd verify out
            $H initrd cat out usr/bin/tool2 | cmp - <(seq 20000)
            $H initrd cat out /etc/fstab | cmp - /dev/null
            $H initrd extract out dir
            cmp dir/usr/bin/tool2 <(seq 20000)
            test -x dir/hacktree/bind-ro
            cp out again; $H initrd patch again again; cmp out again
            $H initrd unpatch out back; cmp in back
            """).Succeeded();
        Assert.Empty(Directory.GetFiles(world.Path, "*.partial"));
    }

    [Fact]
    public void Ls_lists_what_cpio_lists()
    {
        File.WriteAllBytes(world.At("none"), InitrdSamples.Get("none"));
        File.WriteAllBytes(world.At("in"), InitrdSamples.Get("zstd"));
        string[] names = world.Run("initrd", "ls", "in").Succeeded().Split('\n');
        Assert.Equal("segment 1 at byte 0: zstd", names[0]);
        string[] theirs = world.Shell("cpio -it --quiet < none").Succeeded().Split('\n');
        Assert.Equal(theirs.Select(name => name.Replace("bad\\377", "bad\\\\377", StringComparison.Ordinal)).Count(), names.Length - 1);
        Assert.Matches("^-rwsr-xr-x   2 +[0-9]+ +[0-9]+     108894 20.* usr/bin/tool2$", names.Single(name => name.EndsWith("tool2", StringComparison.Ordinal)));
        Assert.EndsWith(" bin -> usr/bin", names.Single(name => name.StartsWith('l')));
        Assert.Matches("^drwxrwxrwt .* scripts$", names.Single(name => name.EndsWith(" scripts", StringComparison.Ordinal)));
    }

    [Fact]
    public void Json_says_the_same()
    {
        byte[] initrd = [.. InitrdSamples.Get("microcode"), .. InitrdSamples.Get("bzip2")];
        File.WriteAllBytes(world.At("in"), initrd);
        using var listed = JsonDocument.Parse(world.Run("initrd", "ls", "--json", "in").Succeeded());
        JsonElement segment = listed.RootElement.GetProperty("segments")[1];
        Assert.Equal("bzip2", segment.GetProperty("compression").GetString());
        Assert.Equal((InitrdSamples.Get("microcode").Length, initrd.Length), (segment.GetProperty("offset").GetInt32(), segment.GetProperty("end").GetInt32()));
        JsonElement link = segment.GetProperty("entries").EnumerateArray().Single(entry => entry.GetProperty("path").GetString() == "bin");
        Assert.Equal(("symlink", "usr/bin"), (link.GetProperty("type").GetString(), link.GetProperty("target").GetString()));
        ToolResult result = world.Run("initrd", "verify", "--json", "in");
        Assert.Equal(3, result.ExitCode);
        using var verified = JsonDocument.Parse(result.Output);
        Assert.False(verified.RootElement.GetProperty("patched").GetBoolean());
        Assert.Equal(1, verified.RootElement.GetProperty("problems").GetArrayLength());
    }

    [Fact]
    public void The_segment_alone_is_gzip_behind_four_zeros_and_always_the_same()
    {
        world.Shell("set -e; $H initrd segment -o a; $H initrd segment -o - | cmp - a; tail -c +5 a | gzip -t; $H initrd verify a").Succeeded();
        Assert.Equal(InitrdSamples.Read(BootSegment.MakeSeparate()), InitrdSamples.Read(File.ReadAllBytes(world.At("a"))));
    }

    [Theory]
    [InlineData(1, "no such file or directory", "patch", "nowhere", "out")]
    [InlineData(1, "not a regular file; give an initrd", "patch", "tree", "out")]
    [InlineData(1, "unknown compression: it begins with 72 6f 6f 74 3a 78; known are", "patch", "tree/etc/passwd", "out")]
    [InlineData(1, "there is nothing in it", "ls", "tree/usr/share/empty")]
    [InlineData(1, "not a regular file; give the file to write", "patch", "good", "tree")]
    [InlineData(1, "not a regular file; give the file to write", "patch", "good", "tree/usr/share/pipe")]
    [InlineData(1, "no such file or directory", "patch", "good", "no/where")]
    [InlineData(1, "'etc/nothing' is not in good", "cat", "good", "etc/nothing")]
    [InlineData(1, "'bin' is not a regular file; it is a symbolic link to usr/bin", "cat", "good", "bin")]
    [InlineData(1, "the directory is not empty", "extract", "good", "tree")]
    [InlineData(1, "there is neither initramfs-tools nor dracut", "install", "--root", "tree")]
    [InlineData(2, "say what to do with an initrd")]
    [InlineData(2, "OUT is missing; see `hacktree initrd patch --help`", "patch", "good")]
    [InlineData(2, "--output FILE is missing", "segment")]
    public void What_cannot_be_done_is_one_sentence(int code, string sentence, params string[] arguments)
    {
        File.WriteAllBytes(world.At("good"), InitrdSamples.Get("gzip"));
        string before = world.Listing();
        ToolResult result = world.Run(["initrd", .. arguments]);
        Assert.Equal(code, result.ExitCode);
        Assert.Empty(result.Output.Replace("segment 1", "", StringComparison.Ordinal));
        string line = Assert.Single(result.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.Contains(sentence, line);
        Assert.DoesNotContain("internal error", line);
        Assert.Equal(before, world.Listing());
    }

    [Theory]
    [InlineData("--initramfs-tools", "usr/share/initramfs-tools")]
    [InlineData("--dracut", "usr/lib/dracut/modules.d")]
    public void Install_writes_files_and_remove_leaves_nothing(string option, string folder)
    {
        world.Shell($"mkdir -p root/{folder}").Succeeded();
        string before = world.Shell("find root | sort").Succeeded();
        string[] files = world.Run("initrd", "install", "--root", "root", option).Succeeded().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.All(files, file => Assert.True(File.Exists(world.At(file)), file));
        string bindRo = Assert.Single(files, file => file.EndsWith("/bind-ro", StringComparison.Ordinal));
        Assert.Equal(BootFiles.Read("native/bind-ro"), File.ReadAllBytes(world.At(bindRo)));
        string after = world.Shell("find root | sort; find root -type f | xargs sha256sum").Succeeded();
        world.Run("initrd", "install", "--root", "root", option).Succeeded();
        Assert.Equal(after, world.Shell("find root | sort; find root -type f | xargs sha256sum").Succeeded());
        world.Run("initrd", "install", "--remove", "--root", "root", option).Succeeded();
        Assert.Equal("", world.Shell("find root -type f").Succeeded());
        Assert.Equal("nothing was installed", world.Run("initrd", "install", "--remove", "--root", "root", option).Error.Replace("hacktree: ", "", StringComparison.Ordinal).TrimEnd());
        Assert.StartsWith(before, world.Shell("find root -path '*hacktree*' -prune -o -print | sort").Succeeded());
    }

    [Fact]
    public void Install_follows_no_symbolic_link_out_of_the_root()
    {
        world.Shell("mkdir -p root/usr/share elsewhere/hooks; ln -s ../../../elsewhere root/usr/share/initramfs-tools").Succeeded();
        ToolResult result = world.Run("initrd", "install", "--root", "root");
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("a symbolic link stands in the way", result.Error);
        Assert.Equal("elsewhere/hooks\n", world.Shell("find elsewhere -mindepth 1").Succeeded());
    }
}
