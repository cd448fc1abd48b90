using HackTree.Checkout;
using HackTree.Model;
using HackTree.Store;
using HackTree.Tests.Support;

namespace HackTree.Tests.Checkout;

/// <summary>What --exclude leaves out of an archive, and hard links to it, which come later in the archive.</summary>
public sealed class TarExcludeTests : IDisposable
{
    // GNU tar archives the names in this order. Each later name of a file is a hard link to its first name.
    private const string Make = """
        mkdir -p source/usr/bin source/var; cd source
        head -c 700000 /dev/urandom > usr/bin/perl; chmod 4750 usr/bin/perl; touch -d @1700000000 usr/bin/perl
        ln usr/bin/perl usr/bin/perl5.36; ln usr/bin/perl usr/bin/zz
        truncate -s 3M var/a; printf data | dd of=var/a bs=1 seek=1500000 conv=notrunc status=none; ln var/a var/b
        ln -s nowhere var/link; ln var/link var/link2; mkfifo var/pipe; ln var/pipe var/pipe2
        tar --format=pax --sparse --no-recursion -cf ../a.tar usr usr/bin usr/bin/perl usr/bin/perl5.36 usr/bin/zz \
            var var/a var/b var/link var/link2 var/pipe var/pipe2
        """;

    private readonly StorePlace place = new();

    public TarExcludeTests() => Shell(Make);

    public void Dispose() => place.Dispose();

    [Theory]
    [InlineData("/usr/bin/perl")]
    [InlineData("/usr/bin/perl", "/usr/bin/perl5.36")]
    [InlineData("/usr/bin/perl5.36")]
    [InlineData("/var/a", "/var/link", "/var/pipe")]
    [InlineData("/usr/bin/perl5.36", "/usr/bin/zz", "/var/b", "/var/link2", "/var/pipe2")]
    [InlineData("/usr/bin")]
    public void The_tree_is_that_of_the_directory_with_the_same_excludes(params string[] excludes)
    {
        var options = new ImportOptions { Excludes = [.. excludes.Select(glob => new PathGlob(glob))] };
        ImportResult expected = place.Import("source", options);
        ImportResult result = Import(options);
        Assert.Equal(Listing(expected.Tree), Listing(result.Tree));
    }

    [Fact]
    public void A_link_to_an_excluded_link_is_the_file()
    {
        Shell("cd source; tar --format=gnu --no-recursion -cf ../a.tar usr/bin/perl5.36 usr/bin/perl; mv usr/bin/zz zz; ln -f usr/bin/perl usr/bin/zz");
        string script = $"""
            import tarfile
            t = tarfile.open('{place.At("a.tar")}', 'a')
            i = tarfile.TarInfo('last'); i.type = tarfile.LNKTYPE; i.linkname = 'usr/bin/perl'; t.addfile(i); t.close()
            """;
        Tools.Run("python3", "-c", script).Succeeded();
        ImportResult result = Import(new ImportOptions { Excludes = [new PathGlob("/usr/bin/perl")] });
        string[] digests = [.. Listing(result.Tree).Where(line => line.StartsWith("file", StringComparison.Ordinal)).Select(line => line.Split(' ')[^1]).Distinct()];
        Assert.Single(digests);
    }

    [Fact]
    public void What_is_left_out_is_not_in_the_store()
    {
        using var additions = new Additions(place.Store);
        using FileStream archive = File.OpenRead(place.At("a.tar"));
        TarImport.Run(additions, archive, new ImportOptions { Excludes = [new PathGlob("/usr"), new PathGlob("/var")] });
        Assert.Equal(0, place.Store.Blobs.Added);
        Assert.Empty(Directory.EnumerateFiles(place.At("objects/tmp")).Where(name => new FileInfo(name).Length > 0));
    }

    [Fact]
    public void A_link_to_what_was_never_in_the_archive_is_refused_as_before()
    {
        Shell("cd source; tar --no-recursion -cf ../a.tar usr/bin/perl usr/bin/zz; tar --delete -f ../a.tar usr/bin/perl");
        var error = Assert.Throws<TarException>(() => Import(new ImportOptions { Excludes = [new PathGlob("/var")] }));
        Assert.Contains("usr/bin/zz: linked to usr/bin/perl, which is no file in the archive before it", error.Message, StringComparison.Ordinal);
    }

    private ImportResult Import(ImportOptions options)
    {
        using var additions = new Additions(place.Store);
        using FileStream archive = File.OpenRead(place.At("a.tar"));
        ImportResult result = TarImport.Run(additions, archive, options);
        place.Store.Packs.Attach(additions.Pack);
        return result;
    }

    /// <summary>One line for each name of a tree, without the directories' own metadata and times of other entries, which GNU tar rounds.</summary>
    private string[] Listing(Digest tree, string path = "")
    {
        var lines = new List<string>();
        foreach (TreeEntry entry in place.Store.Packs.ReadTree(tree))
        {
            string name = path + ByteText.Quote(entry.Name);
            lines.Add(entry.Kind switch
            {
                EntryKind.Directory => $"dir {name}",
                EntryKind.Regular => $"file {name} {Convert.ToString(entry.Metadata.Mode, 8)} {entry.Metadata.Uid} {entry.Metadata.ModifyTime} {entry.Size} {entry.Digest}",
                _ => $"{entry.Kind} {name} {ByteText.Quote(entry.Target)}",
            });
            if (entry.Kind == EntryKind.Directory)
            {
                lines.AddRange(Listing(entry.Digest, name + "/"));
            }
        }

        return [.. lines];
    }

    private void Shell(string script) => Tools.Run("bash", "-ec", $"cd {place.At(".")}; {script}").Succeeded();
}
