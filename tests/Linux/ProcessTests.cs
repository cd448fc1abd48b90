using System.Text.RegularExpressions;
using HackTree.Linux;
using HackTree.Tests.Support;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Tests.Linux;

public sealed class ProcessTests
{
    [Fact]
    public void A_lock_is_shared_or_held_alone()
    {
        using var directory = new TempDirectory();
        using SafeFileHandle one = Files.Create(directory.Handle, "lock"u8);
        using SafeFileHandle two = Files.Open(directory.Handle, "lock"u8, OpenFlags.ReadOnly);
        SafeFileHandle three = Files.Open(directory.Handle, "lock"u8, OpenFlags.ReadOnly);
        Files.Ok(Sys.Lock(one, LockKind.Shared, wait: false));
        Files.Ok(Sys.Lock(two, LockKind.Shared, wait: true));
        Assert.Equal(Errno.EAGAIN, Sys.Lock(three, LockKind.Exclusive, wait: false));
        two.Dispose();

        // Waits, because a child that another test starts has our files too, until it becomes another program.
        Files.Ok(Sys.Lock(one, LockKind.Exclusive, wait: true));
        Assert.Equal(Errno.EAGAIN, Sys.Lock(three, LockKind.Shared, wait: false));
        one.Dispose();
        Files.Ok(Sys.Lock(three, LockKind.Exclusive, wait: true));
        three.Dispose();
    }

    [Fact]
    public async Task A_lock_is_waited_for()
    {
        using var directory = new TempDirectory();
        SafeFileHandle one = Files.Create(directory.Handle, "lock"u8);
        using SafeFileHandle two = Files.Open(directory.Handle, "lock"u8, OpenFlags.ReadOnly);
        Files.Ok(Sys.Lock(one, LockKind.Exclusive, wait: false));
        Task<Errno> waiting = Task.Run(() => Sys.Lock(two, LockKind.Shared, wait: true), TestContext.Current.CancellationToken);
        await Task.Delay(50, TestContext.Current.CancellationToken);
        Assert.False(waiting.IsCompleted);
        one.Dispose();
        Files.Ok(await waiting);
    }

    [Fact]
    public void The_user_is_the_one_that_id_prints()
    {
        Tools.Require("id");
        Assert.Equal($"{Sys.EffectiveUid}", Tools.Run("id", "-u").Succeeded().Trim());
        Assert.Equal($"{Sys.EffectiveGid}", Tools.Run("id", "-g").Succeeded().Trim());
        Assert.Equal(Sys.EffectiveUid == 0, Sys.IsRoot);
    }

    [Fact]
    public void A_program_that_is_not_there_is_not_executed() =>
        Assert.Equal(Errno.ENOENT, Sys.Execute("/nowhere/program", ["program"u8.ToArray(), "argument"u8.ToArray()]));

    [Fact]
    public void Only_the_first_user_namespace_has_all_users() =>
        Assert.Equal(!File.ReadAllText("/proc/self/uid_map").TrimEnd().EndsWith(" 4294967295", StringComparison.Ordinal), Sys.IsInUserNamespace());

    [Fact]
    public void The_limit_of_open_files_is_raised_to_the_hard_one()
    {
        Sys.RaiseOpenFileLimit();
        string line = File.ReadLines("/proc/self/limits").First(line => line.StartsWith("Max open files", StringComparison.Ordinal));
        string[] fields = Regex.Split(line["Max open files".Length..].Trim(), " +");
        Assert.Equal(fields[1], fields[0]);
    }

    [Fact]
    public void The_umask_is_what_a_child_inherits()
    {
        Tools.Require("sh");
        Assert.Equal(Convert.ToUInt32(Tools.Run("sh", "-c", "umask").Succeeded().Trim(), 8), Sys.Umask());
    }

    [Fact]
    public void Random_numbers_differ()
    {
        Files.Ok(Sys.Random(out UInt128 one));
        Files.Ok(Sys.Random(out UInt128 two));
        Assert.NotEqual(one, two);
    }

    [Fact]
    public void A_descriptor_that_is_no_terminal_is_none() => Assert.False(Sys.IsTerminal(-1));

    [Fact]
    public void Every_error_has_words_and_the_exception_says_where()
    {
        Assert.All(Enum.GetValues<Errno>(), errno => Assert.NotEmpty(LinuxException.Describe(errno)));
        Assert.Equal("error ENOSYS", LinuxException.Describe(Errno.ENOSYS));
        Assert.Contains("4095", LinuxException.Describe((Errno)4095), StringComparison.Ordinal);
        LinuxException e = Assert.Throws<LinuxException>(() => Errno.ENOSPC.ThrowIfFailed("pwrite", "some/path"));
        Assert.Equal("some/path: no space left on the filesystem", e.Message);
        Errno.None.ThrowIfFailed("pwrite", "some/path");
    }

    [Fact]
    public void What_a_call_was_about_is_put_together_only_where_it_failed()
    {
        int asked = 0;
        string Name() => $"name{++asked}";

        Errno.None.ThrowIfFailed("linkat", $"some/{Name()}");
        Assert.Equal(0, asked);
        LinuxException e = Assert.Throws<LinuxException>(() => Errno.EIO.ThrowIfFailed("linkat", $"some/{255:x2}/{Name()}"));
        Assert.Equal("some/ff/name1: input/output error", e.Message);
    }
}
