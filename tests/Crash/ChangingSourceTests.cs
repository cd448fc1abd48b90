using System.Text;
using HackTree.Linux;
using HackTree.Tests.Support;

namespace HackTree.Tests.Crash;

/// <summary>A tree that somebody writes to while it is committed: the commit is refused in one sentence, or whole; no object is ever wrong.</summary>
public sealed class ChangingSourceTests : IDisposable
{
    private readonly PhysicalRoot root = new();
    private readonly List<int> written = [];

    private string Source => root.At("source");

    public void Dispose() => root.Dispose();

    [Theory]
    [InlineData("grows and shrinks")]
    [InlineData("is replaced by a link")]
    [InlineData("is replaced by a directory")]
    [InlineData("is replaced by a fifo")]
    [InlineData("comes and goes")]
    [InlineData("changes its mode")]
    public void A_file_that_changes_makes_no_wrong_object(string how)
    {
        SourceTree.Make(Source, 1);
        string victim = root.At("source/victim");
        byte[] content = Content.Of(300_000);
        File.WriteAllBytes(victim, content);
        Action<int> change = how switch
        {
            "grows and shrinks" => i => Rewrite(victim, content.AsSpan(0, 300_000 - (i % 7 * 40_000))),
            "is replaced by a link" => i => Swap(victim, i, path => File.CreateSymbolicLink(path, "/etc/passwd")),
            "is replaced by a directory" => i => SwapDirectory(victim, i),
            "is replaced by a fifo" => i => Swap(victim, i, path => Make(path, FileType.Fifo)),
            "comes and goes" => i => Swap(victim, i, null),
            _ => i => Ok(Sys.SetMode(Sys.WorkingDirectory, Encoding.UTF8.GetBytes(victim), (uint)(0x180 + (i % 64)))),
        };
        CommitWhile(change);
    }

    [Fact]
    public void A_directory_that_is_removed_under_the_walk_makes_no_wrong_tree()
    {
        SourceTree.Make(Source, 1);
        CommitWhile(i =>
        {
            Directory.CreateDirectory(root.At("source/d0/gone/below/it"));
            File.WriteAllText(root.At("source/d0/gone/below/file"), $"{i}");
            Directory.Move(root.At("source/d0/gone"), root.At("source/moved"));
            Directory.Delete(root.At("source/moved"), recursive: true);
        });
    }

    [Fact]
    public void Names_that_go_and_come_again_while_they_are_listed_are_no_internal_error()
    {
        // tmpfs lists a name that came again behind those that were there: the listing has it twice.
        Assert.SkipUnless(Directory.Exists("/dev/shm"), "no tmpfs at /dev/shm");
        string source = $"/dev/shm/hacktree-{Guid.NewGuid():N}";
        Directory.CreateDirectory(source);
        try
        {
            string[] paths = [.. Enumerable.Range(0, 6000).Select(i => $"{source}/{i:d60}")];
            Array.ForEach(paths, path => File.WriteAllText(path, ""));
            CommitWhile(
                i =>
                {
                    File.Delete(paths[i % paths.Length]);
                    File.WriteAllText(paths[i % paths.Length], "");
                },
                source);
        }
        finally
        {
            Directory.Delete(source, recursive: true);
        }
    }

    [Fact]
    public void A_file_that_grows_under_a_consuming_commit_is_neither_lost_nor_half_stored()
    {
        for (int round = 0; round < PhysicalRoot.Rounds(6); round++)
        {
            SourceTree.Make(Source, round);
            int number = round;
            var made = new List<int>();
            CommitWhile(
                i =>
                {
                    try
                    {
                        File.WriteAllText(root.At($"source/new{i}"), $"{number} {i}");
                        made.Add(i);
                    }
                    catch (IOException e) when (e is DirectoryNotFoundException or FileNotFoundException)
                    {
                        // The commit has taken the tree to its private place, or away.
                    }

                    Thread.Sleep(1);
                },
                Source,
                consume: true);

            // What was written is in the source still, or in the commit.
            string place = root.At($"check{round}");
            if (root.Tip("main") is not null)
            {
                root.Ok("checkout", "--copy", "main", place);
            }

            Assert.NotEmpty(made);
            Assert.All(made, i => Assert.Contains($"{number} {i}", new[] { $"{place}/new{i}", root.At($"source/new{i}") }.Where(File.Exists).Select(File.ReadAllText)));
        }
    }

    private void CommitWhile(Action<int> change, string? source = null, bool consume = false)
    {
        using var stop = new CancellationTokenSource();
        written.Clear();
        Exception? failure = null;
        var writer = new Thread(() =>
        {
            try
            {
                for (int i = 0; !stop.IsCancellationRequested; i++)
                {
                    change(i);
                    written.Add(i);
                }
            }
            catch (Exception e) when (e is DirectoryNotFoundException && consume)
            {
                // The commit has taken the directory away.
            }
            catch (Exception e)
            {
                failure = e;
            }
        });
        writer.Start();
        int committed = 0;
        try
        {
            for (int round = 0; round < (consume ? 1 : PhysicalRoot.Rounds(12)); round++)
            {
                string[] command = ["commit", "-b", "main", source ?? Source];
                ToolResult result = root.Run(consume ? [.. command, "--consume"] : command);
                if (result.ExitCode != 0)
                {
                    Hacktree.Refused(result);
                }

                committed += result.ExitCode == 0 ? 1 : 0;
            }
        }
        finally
        {
            stop.Cancel();
            writer.Join();
        }

        Assert.Null(failure);
        root.AssertSound();
        if (committed > 0)
        {
            root.Ok("checkout", "--force", "main", root.At("r1"));
        }

        root.AssertCleanAfterGc();
    }

    private static void Rewrite(string path, ReadOnlySpan<byte> content)
    {
        using FileStream file = File.Open(path, FileMode.Create);
        file.Write(content);
    }

    private static void Swap(string path, int i, Action<string>? make)
    {
        if (i % 2 == 0)
        {
            File.Delete(path);
            make?.Invoke(path);
        }
        else
        {
            File.Delete(path);
            File.WriteAllText(path, "a file again");
        }
    }

    private static void SwapDirectory(string path, int i)
    {
        if (i % 2 == 0)
        {
            File.Delete(path);
            Directory.CreateDirectory(path);
        }
        else
        {
            Directory.Delete(path);
            File.WriteAllText(path, "a file again");
        }
    }

    private static void Make(string path, FileType type) => Ok(Sys.MakeNode(Sys.WorkingDirectory, Encoding.UTF8.GetBytes(path), type, 0x1B6, 0, 0));

    private static void Ok(Errno errno) => Assert.Equal(Errno.None, errno);
}
