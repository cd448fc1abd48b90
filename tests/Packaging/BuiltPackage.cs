using HackTree.Tests.Support;
using HackTree.Tests.Tidy;

namespace HackTree.Tests.Packaging;

/// <summary>The package that `packaging/build` makes of the built program. It is made once for all tests.</summary>
public sealed class BuiltPackage : IDisposable
{
    // The managed program that a developer may have is a short launcher, which runs nowhere else.
    private const int LeastNativeSize = 1 << 20;

    private readonly TempDirectory directory = new();
    private readonly Lazy<string> file;

    public BuiltPackage() => file = new(() => Build("first"));

    /// <summary>Whether out/hacktree is the program that `make build` makes. In CI it must be.</summary>
    internal static bool IsNative
    {
        get
        {
            FileSystemInfo program = File.ResolveLinkTarget(Repository.Program, returnFinalTarget: true) ?? new FileInfo(Repository.Program);
            bool isNative = ((FileInfo)program).Length >= LeastNativeSize;
            Assert.True(isNative || !Tools.IsCi, $"{Repository.Program} is not what `make build` makes");
            return isNative;
        }
    }

    /// <summary>The path of the package. Skips the test if a program that makes packages is missing.</summary>
    internal string Package
    {
        get
        {
            Tools.Require("dpkg-deb", "dpkg-shlibdeps");
            return file.Value;
        }
    }

    internal string At(string name) => directory.At(name);

    /// <summary>Makes the package in a folder of its own, with more variables ("NAME=VALUE") for env(1).</summary>
    internal string Build(string folder, params string[] variables) =>
        Tools.Run("env", ["-u", "SOURCE_DATE_EPOCH", .. variables, Path.Combine(Repository.Root, "packaging", "build"), Repository.Program, At(folder)])
            .Succeeded().Trim();

    public void Dispose() => directory.Dispose();
}

/// <summary>The tests of one package.</summary>
[CollectionDefinition(Name)]
public sealed class PackageCollection : ICollectionFixture<BuiltPackage>
{
    public const string Name = "package";
}
