using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using HackTree.Model;
using HackTree.Tests.Tidy;

namespace HackTree.Tests.Checkout;

/// <summary>
/// Trees of the composefs project, with the sums of the images that mkcomposefs makes of them. They stand beside the checkout, in
/// shared/composefs, and are not part of this project.
/// </summary>
public sealed class ComposefsSumsTests
{
    private static string? Folder
    {
        get
        {
            for (DirectoryInfo? above = new(Repository.Root); above is not null; above = above.Parent)
            {
                string folder = Path.Combine(above.FullName, "shared", "composefs");
                if (Directory.Exists(folder))
                {
                    return folder;
                }
            }

            return null;
        }
    }

    [Theory]
    [InlineData("bigfile.dump")]
    [InlineData("bigfile-xattr.dump")]
    [InlineData("longlink.dump")]
    [InlineData("special_v1.dump")]
    [InlineData("config.dump.gz")]
    public void The_image_of_a_tree_has_the_sum_that_composefs_has(string name)
    {
        Assert.SkipWhen(Folder is null, "there is no shared/composefs beside the checkout");
        using Stream file = File.OpenRead(Path.Combine(Folder, name));
        using Stream plain = name.EndsWith(".gz", StringComparison.Ordinal) ? new GZipStream(file, CompressionMode.Decompress) : file;
        using var reader = new StreamReader(plain, Encoding.Latin1);
        byte[] image = DumpSource.MakeImage(reader.ReadToEnd(), out Digest digest);
        Assert.Equal(File.ReadAllText(Path.Combine(Folder, $"{name}.sha256")).Trim(), Convert.ToHexStringLower(SHA256.HashData(image)));
        Assert.Equal(Verity.Compute(image), digest);
    }
}
