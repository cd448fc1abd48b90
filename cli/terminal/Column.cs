namespace HackTree.Cli;

/// <summary>A column of a <see cref="Listing"/>.</summary>
/// <param name="Heading">What stands above it on a terminal.</param>
internal sealed record Column(string Heading)
{
    /// <summary>When the column goes if the terminal is too narrow for all: the highest number first. A column with 0 stays.</summary>
    public int Rank { get; init; }

    /// <summary>Whether it has numbers, which are aligned to the right.</summary>
    public bool IsNumber { get; init; }

    /// <summary>What is cut of a cell that is too wide. A path is told by its end.</summary>
    public bool IsPath { get; init; }

    public static implicit operator Column(string heading) => new(heading);
}
