using System.Diagnostics;
using System.Text;
using HackTree.Linux;
using HackTree.Store;

namespace HackTree.Cli;

/// <summary>
/// Shows how far a command is, on the last line of the terminal: files, bytes, rate and, if the number of files is known, the time left. The
/// line appears after half a second, and is erased when this object is disposed of.
/// </summary>
internal sealed class ProgressLine : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan Period = TimeSpan.FromMilliseconds(200);

    private readonly string what;
    private readonly Progress progress;
    private readonly long started = Stopwatch.GetTimestamp();
    private readonly Lock gate = new();
    private readonly Timer timer;
    private bool isOver;

    private ProgressLine(string what, Progress progress)
    {
        this.what = what;
        this.progress = progress;
        timer = new Timer(_ => Show(), null, Patience, Period);
    }

    /// <summary>Starts the line. Null if the line is not wanted, or if standard error is no terminal.</summary>
    internal static ProgressLine? Start(string what, Progress progress, bool isQuiet) =>
        isQuiet || !ErrorTerminal.IsTerminal ? null : new ProgressLine(what, progress);

    public void Dispose()
    {
        timer.Dispose();
        lock (gate)
        {
            // A running tick must not write after this.
            isOver = true;
            ErrorTerminal.ShowProgress("");
        }
    }

    /// <summary>"committing: 12,345 of 60,000 files, 1.20 GB, 340 MB/s, 0:12 min left".</summary>
    internal static string Text(string what, long files, long totalFiles, long bytes, TimeSpan elapsed)
    {
        var text = new StringBuilder(what).Append(": ").Append(HumanText.Count(files));
        text.Append(totalFiles > 0 ? $" of {HumanText.Count(totalFiles)} files" : " files");
        if (bytes > 0)
        {
            text.Append($", {HumanText.Bytes(bytes)}, {HumanText.Bytes(bytes / elapsed.TotalSeconds)}/s");
        }
        else
        {
            text.Append($", {HumanText.Count((long)(files / elapsed.TotalSeconds))}/s");
        }

        if (files > 0 && totalFiles >= files)
        {
            text.Append($", {HumanText.Duration(elapsed * ((double)(totalFiles - files) / files))} left");
        }

        return text.ToString();
    }

    private void Show()
    {
        lock (gate)
        {
            if (!isOver)
            {
                string text = Text(what, progress.Files, progress.TotalFiles, progress.Bytes, Stopwatch.GetElapsedTime(started));

                // A line that wraps cannot be erased.
                int width = Sys.TerminalWidth(2);
                ErrorTerminal.ShowProgress(text.Length < width ? text : text[..(width - 1)]);
            }
        }
    }
}
