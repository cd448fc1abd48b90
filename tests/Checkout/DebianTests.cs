using System.Diagnostics;
using System.Globalization;
using HackTree.Checkout;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using HackTree.Tests.Support;
using HackTree.Tests.Tidy;

namespace HackTree.Tests.Checkout;

/// <summary>A whole Debian root is committed and checked out again. ostree, as far as it can, makes the same of it.</summary>
[Trait("speed", "slow")]
public sealed class DebianTests
{
    private const string Substitute = "/usr/share/doc";

    private static readonly Lazy<string> Root = new(FindRoot);

    [Fact]
    public void It_comes_out_as_it_went_in_whole()
    {
        using var place = new StorePlace();
        Directory.CreateSymbolicLink(place.At("source"), Root.Value);
        var watch = Stopwatch.StartNew();
        Digest commit = place.Commit("source", out ImportResult imported);
        Say($"{Root.Value}: {imported.Files} files, {imported.ContentBytes} bytes, committed in {Seconds(watch)} s");
        foreach (CheckoutMethod method in new[] { CheckoutMethod.Hardlink, CheckoutMethod.Copy })
        {
            watch.Restart();
            CheckoutResult result = place.Checkout(commit, $"{method}", method);
            Say($"{method} in {Seconds(watch)} s");
            if (Sys.IsRoot)
            {
                Assert.Null(result.Unrestored.Summary());
            }

            Comparison.Same(Root.Value, place.At($"{method}"), Sys.IsRoot ? ["--no-sockets"] : ["--no-sockets", "--without", "uid", "--without", "gid"]);
            if (Sys.IsRoot)
            {
                place.RequireSame(imported, $"{method}");
            }
        }

        place.RequireSound();
    }

    [Fact]
    public void Ostree_makes_the_same_of_it()
    {
        Assert.SkipUnless(Sys.IsRoot, "only root can make ostree keep all that a tree has");
        Tools.Require("ostree");
        using var place = new StorePlace();

        // ostree refuses devices and keeps no times.
        Directory.CreateSymbolicLink(place.At("source"), Root.Value);
        Digest commit = place.Commit("source", new ImportOptions { Excludes = [new PathGlob("/dev/*")] });
        place.Checkout(commit, "ours");
        place.Checkout(commit, "copy", CheckoutMethod.Copy);
        string repository = $"--repo={place.At("repository")}", theirs = place.At("theirs");
        Tools.Run("ostree", repository, "init", "--mode=bare").Succeeded();
        Tools.Run("ostree", repository, "config", "set", "core.fsync", "false").Succeeded();
        Tools.Run("ostree", repository, "commit", "-b", "debian", "--no-bindings", $"--tree=dir={place.At("copy")}").Succeeded();
        Tools.Run("ostree", repository, "checkout", "-H", "debian", theirs).Succeeded();
        Comparison.Same(place.At("ours"), theirs, "--without", "mtime");

        // Then HackTree commits the tree that ostree made.
        Digest again = place.Commit("theirs");
        place.Checkout(again, "again");
        Comparison.Same(theirs, place.At("again"));
    }

    private static string FindRoot()
    {
        ToolResult made = Tools.Run(Path.Combine(Repository.Root, ".setup", "debian-root"));
        if (made.ExitCode == 0)
        {
            return made.Output.Trim();
        }

        Say($"no Debian root ({made.Error.Trim()}), but {Substitute} of this machine");
        return Substitute;
    }

    private static void Say(string line) => TestContext.Current.TestOutputHelper?.WriteLine(line);

    private static string Seconds(Stopwatch watch) => watch.Elapsed.TotalSeconds.ToString("f1", CultureInfo.InvariantCulture);
}
