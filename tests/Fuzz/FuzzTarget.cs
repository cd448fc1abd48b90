namespace HackTree.Tests.Fuzz;

/// <summary>A decoder of bytes that anybody may have made, and the bounds that it keeps.</summary>
/// <param name="Name">Its name, which the directory of its seeds below tests/Fuzz/corpus has too.</param>
/// <param name="Decode">
/// Gives bytes to the decoder as the program does, and reads all that it made of them. Returns whether it took them. Whatever it throws that is not one of
/// <see cref="Refusals"/> is a finding.
/// </param>
internal sealed record FuzzTarget(string Name, Func<byte[], bool> Decode)
{
    /// <summary>The longest input that is tried, in bytes.</summary>
    public const int MaxLength = 64 * 1024;

    /// <summary>The exceptions that say, as documented, that the bytes are no such thing.</summary>
    public Type[] Refusals { get; init; } = [];

    /// <summary>The memory that may be allocated whatever the input's length, in bytes: buffers, windows, tables.</summary>
    public long Memory { get; init; } = 4 * 1024 * 1024;

    /// <summary>The memory that may be allocated for each byte of input, beside <see cref="Memory"/>. All counts, also what is garbage at once.</summary>
    public long MemoryPerByte { get; init; } = 1000;

    /// <summary>The time that an input may take whatever its length.</summary>
    public TimeSpan Time { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>The time for each byte of input, beside <see cref="Time"/>.</summary>
    public TimeSpan TimePerByte { get; init; } = TimeSpan.FromMicroseconds(20);

    /// <summary>Corrects the checksums of changed bytes. Else a decoder's first check would refuse nearly all of them.</summary>
    public Func<byte[], byte[]> Seal { get; init; } = bytes => bytes;

    /// <summary>Pieces that mean something to the decoder, and that no change of a bit makes.</summary>
    public byte[][] Words { get; init; } = [];

    /// <summary>How many changed inputs a run of all tests tries.</summary>
    public int Burst { get; init; } = 2000;
}
