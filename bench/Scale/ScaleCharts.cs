using HackTree.Bench.Report;
using ScottPlot;
using ScottPlot.Plottables;
using ScottPlot.TickGenerators;

namespace HackTree.Bench.Scale;

/// <summary>
/// Draws time and memory against the number of files. Both axes are logarithmic: what grows in proportion has the slope of the dotted line.
/// </summary>
internal static class ScaleCharts
{
    private const double MemoryLimit = 150_000_000;
    private const int Width = 1100;
    private const int Height = 700;

    private static readonly string[] ColorCodes =
    [
        "#d9480f", "#1971c2", "#2f9e44", "#9c36b5", "#e8590c", "#0c8599", "#f08c00", "#495057", "#e64980", "#74b816",
    ];

    private static readonly Color[] Colors = [.. ColorCodes.Select(hex => new Color(hex))];

    internal static void Draw(ScaleResults results, string folder)
    {
        using Plot time = Make("Time by number of files", results, row => row.Counted);
        time.Axes.Left.TickGenerator = Ticks(-3, 3, Figures.Seconds);
        AddProportion(time, results);
        Save(time, folder, "time");

        using Plot memory = Make("Peak memory by number of files", results, row => row.PeakBytes);
        memory.Axes.Left.TickGenerator = Ticks(6, 10, Figures.Bytes);
        HorizontalLine limit = memory.Add.HorizontalLine(Math.Log10(MemoryLimit), 2, new Color("#c92a2a"), LinePattern.Dashed);
        limit.LegendText = $"limit: {Figures.Bytes(MemoryLimit)}";
        memory.Axes.SetLimitsY(6.8, Math.Max(8.5, Math.Log10(results.Points.SelectMany(point => point.Rows).Max(row => row.PeakBytes)) + 0.1));
        Save(memory, folder, "memory");
    }

    private static Plot Make(string title, ScaleResults results, Func<Row, double> value)
    {
        var plot = new Plot();
        plot.Font.Set("DejaVu Sans");
        plot.Title(title, 22);
        foreach ((Work work, int number) in Work.All.Select((work, number) => (work, number)))
        {
            ScalePoint[] points = [.. results.Points.Where(point => point.Find(work.Id) is not null).OrderBy(point => point.Files)];
            if (points.Length > 0)
            {
                Scatter line = plot.Add.Scatter(
                    points.Select(point => Math.Log10(point.Files)).ToArray(),
                    points.Select(point => Math.Log10(value(point.Find(work.Id)!))).ToArray(),
                    Colors[number % Colors.Length]);
                line.LineWidth = 2.5f;
                line.MarkerSize = 9;
                string way = work.Id == Work.RecommitRoot ? " (of a checkout)" : work.Id == Work.Recommit ? " (again)" : "";
                line.LegendText = points[^1].Find(work.Id)!.Label + way;
            }
        }

        plot.Axes.Bottom.TickGenerator = Ticks(3, 8, files => Figures.Count((long)Math.Round(files)));
        plot.Axes.Bottom.TickLabelStyle.FontSize = 14;
        plot.Axes.Left.TickLabelStyle.FontSize = 14;
        string cold = results.IsCold ? "page cache dropped before each; " : "";
        plot.Axes.Bottom.Label.Text = $"files; {results.Filesystem.Kind}, {results.Machine.Cores} cores; {cold}both axes logarithmic";
        plot.Axes.Bottom.Label.FontSize = 13;
        plot.Axes.Bottom.Label.Bold = false;
        plot.Axes.AutoScale();
        plot.Legend.FontSize = 14;
        _ = plot.ShowLegend(Edge.Right);
        return plot;
    }

    /// <summary>Draws a line of slope 1 below all others, for comparison.</summary>
    private static void AddProportion(Plot plot, ScaleResults results)
    {
        double from = Math.Log10(results.Points.Min(point => point.Files)), to = Math.Log10(results.Points.Max(point => point.Files));
        double start = Math.Log10(results.Points.SelectMany(point => point.Rows).Min(row => row.Counted)) - 0.1;
        LinePlot line = plot.Add.Line(from, start, to, start + to - from);
        line.LinePattern = LinePattern.Dotted;
        line.LineColor = new Color("#868e96");
        line.LineWidth = 2;
        line.MarkerSize = 0;
        line.LegendText = "in proportion";
        plot.Axes.AutoScale();
    }

    private static NumericManual Ticks(int from, int to, Func<double, string> label)
    {
        var ticks = new NumericManual();
        for (int power = from; power <= to; power++)
        {
            ticks.AddMajor(power, label(Math.Pow(10, power)));
            for (int multiple = 2; multiple < 10; multiple++)
            {
                ticks.AddMinor(power + Math.Log10(multiple));
            }
        }

        return ticks;
    }

    private static void Save(Plot plot, string folder, string name)
    {
        _ = plot.SaveSvg(Path.Combine(folder, name + ".svg"), Width, Height);
        _ = plot.SavePng(Path.Combine(folder, name + ".png"), Width, Height);
    }
}
