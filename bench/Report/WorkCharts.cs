using ScottPlot;
using ScottPlot.Plottables;
using ScottPlot.TickGenerators;

namespace HackTree.Bench.Report;

/// <summary>Draws a chart for each work: horizontal bars, the fastest on top, and the floor as a line; as SVG and as PNG.</summary>
internal static class WorkCharts
{
    /// <summary>
    /// From this ratio of longest to shortest bar on, the axis is logarithmic. Otherwise the short bars would look the same.
    /// </summary>
    private const double LogFrom = 20;
    private const int Width = 1100;

    private static readonly Color Ours = new("#d9480f");
    private static readonly Color Others = new("#74859b");
    private static readonly Color OfFloor = new("#2b8a3e");
    private static readonly Color Ink = new("#333333");

    internal static void Draw(Results results, string folder)
    {
        Directory.CreateDirectory(folder);
        foreach (Work work in Work.All)
        {
            IReadOnlyList<Row> rows = Summary.Rows(results, work);
            if (rows.Any(row => row.Contestant != Summary.Floor))
            {
                Draw(results, work, rows, Path.Combine(folder, work.Id));
            }
        }
    }

    private static void Draw(Results results, Work work, IReadOnlyList<Row> rows, string path)
    {
        Row[] bars = [.. rows.Where(row => row.Contestant != Summary.Floor).Reverse()];
        Row? floor = rows.FirstOrDefault(row => row.Contestant == Summary.Floor);
        var scale = new Scale(rows.Min(row => row.Counted), rows.Max(row => row.Counted));
        using var plot = new Plot();
        plot.Font.Set("DejaVu Sans");
        AddBars(plot, bars, scale);
        if (floor is not null)
        {
            AddFloor(plot, floor, scale, bars.Length);
        }

        plot.Axes.Bottom.TickGenerator = scale.Ticks();
        plot.Axes.SetLimits(0, scale.End, -0.7, bars.Length - (floor is null ? 0.4 : 0.1));
        plot.Axes.Left.SetTicks([.. bars.Select((_, number) => (double)number)], [.. bars.Select(row => row.Label)]);
        plot.Axes.Left.MajorTickStyle.Length = 0;
        plot.Axes.Left.TickLabelStyle.FontSize = 17;
        plot.Axes.Bottom.TickLabelStyle.FontSize = 14;
        plot.Axes.Bottom.Label.Text = Caption(results, work, scale);
        plot.Axes.Bottom.Label.FontSize = 13;
        plot.Axes.Bottom.Label.Bold = false;
        plot.Axes.Bottom.Label.ForeColor = Ink;
        plot.Axes.Right.IsVisible = false;
        plot.Axes.Top.IsVisible = false;
        plot.Grid.YAxisStyle.IsVisible = false;
        plot.Title(work.Title, 22);
        int height = 130 + (52 * bars.Length);
        _ = plot.SaveSvg(path + ".svg", Width, height);
        _ = plot.SavePng(path + ".png", Width, height);
    }

    private static void AddBars(Plot plot, Row[] rows, Scale scale)
    {
        BarPlot bars = plot.Add.Bars(rows.Select((row, number) => new Bar
        {
            Position = number,
            Value = scale.At(row.Counted),
            ValueBase = 0,
            Orientation = Orientation.Horizontal,
            Size = 0.66,
            LineWidth = 0,
            FillColor = row.Contestant == Summary.HackTree ? Ours : Others,
            Label = row.Contestant == Summary.HackTree || row.ToHackTree is null
                ? Figures.Seconds(row.Counted)
                : $"{Figures.Seconds(row.Counted)}   {Figures.Ratio(row.ToHackTree)}",
        }).ToArray());
        bars.ValueLabelStyle.FontSize = 16;
        bars.ValueLabelStyle.ForeColor = Ink;
    }

    private static void AddFloor(Plot plot, Row floor, Scale scale, int bars)
    {
        double at = scale.At(floor.Counted);
        _ = plot.Add.VerticalLine(at, 2, OfFloor, LinePattern.Dashed);
        Text text = plot.Add.Text($"floor {Figures.Seconds(floor.Counted)}: {floor.Label}", at, bars - 0.4);
        text.LabelFontSize = 15;
        text.LabelFontColor = OfFloor;
        text.LabelAlignment = Alignment.MiddleLeft;
        text.OffsetX = 6;
    }

    private static string Caption(Results results, Work work, Scale scale)
    {
        TreeFacts tree = results.Tree;
        string names = $"{Figures.Count(tree.Directories + tree.OtherNames)} names, {Figures.Bytes(tree.Bytes)}";
        string axis = $"median{(work.Writes ? ", synced" : "")}{(scale.IsLogarithmic ? "; logarithmic axis" : "")}; x = times hacktree's";
        return $"{Path.GetFileName(tree.Path.TrimEnd('/'))}: {names}; {results.Filesystem.Kind}, {results.Machine.Cores} cores; {axis}";
    }

    /// <summary>
    /// Maps seconds to places on the axis. The axis begins at 0, because ScottPlot puts the figure of a bar below zero on its other side.
    /// </summary>
    private sealed class Scale(double lowest, double highest)
    {
        private readonly double start = Math.Log10(lowest) - 0.35;

        public bool IsLogarithmic { get; } = highest > LogFrom * lowest;

        // The figures behind the longest bar need space.
        public double End => 1.3 * At(highest);

        public double At(double seconds) => IsLogarithmic ? Math.Log10(seconds) - start : seconds;

        public NumericManual Ticks()
        {
            var ticks = new NumericManual();
            if (!IsLogarithmic)
            {
                double step = Step(highest / 5);
                for (int i = 0; i * step <= End; i++)
                {
                    ticks.AddMajor(i * step, i == 0 ? "0" : Short(i * step));
                }

                return ticks;
            }

            for (int power = (int)Math.Floor(start); power <= start + End; power++)
            {
                ticks.AddMajor(power - start, Short(Math.Pow(10, power)));
                for (int multiple = 2; multiple < 10; multiple++)
                {
                    ticks.AddMinor(power + Math.Log10(multiple) - start);
                }
            }

            return ticks;
        }

        /// <summary>The step between ticks: 1, 2 or 5 times a power of ten, near the wanted step.</summary>
        private static double Step(double about)
        {
            double power = Math.Pow(10, Math.Floor(Math.Log10(about)));
            return (about / power) switch { < 1.5 => 1, < 3.5 => 2, < 7.5 => 5, _ => 10 } * power;
        }

        private static string Short(double seconds) => seconds < 0.0995 ? $"{seconds * 1000:0.###} ms" : $"{seconds:0.###} s";
    }
}
