using System.Buffers.Binary;
using System.IO.Compression;
using HackTree.Linux;

namespace HackTree.Boot;

/// <summary>
/// Patches an initrd of initramfs-tools for the classic chain (boot/patches): unpacks it, puts the patched init and switch_root into it, and
/// packs it again. The microcode at its start stays byte for byte; everything else becomes one archive, packed with gzip.
/// </summary>
public static class ClassicInitrd
{
    private const string Builder = "boot/patches/build.sh makes one";

    /// <summary>Patches an initrd. Input and output may be the same file.</summary>
    /// <param name="input">The initrd.</param>
    /// <param name="output">The patched initrd.</param>
    /// <param name="init">The init of initramfs-tools that knows subroot=.</param>
    /// <param name="switchRoot">A static switch_root that knows --subroot.</param>
    /// <param name="stop">A request to stop, which leaves the output as it was.</param>
    /// <exception cref="InitrdException">The initrd, or one of the two programs, is not of the right kind.</exception>
    /// <exception cref="LinuxException">A file cannot be read or written.</exception>
    public static void Patch(string input, string output, string init, string switchRoot, CancellationToken stop)
    {
        byte[] initContent = ReadInit(init), switchRootContent = ReadSwitchRoot(switchRoot);
        long early = ClassicRepack.EarlyEnd(input, stop);
        var packed = new MemoryStream();
        using (var reader = InitrdReader.Open(input, stop))
        using (var gzip = new GZipStream(packed, CompressionLevel.Optimal, leaveOpen: true))
        {
            var repack = new ClassicRepack(reader, new CpioWriter(gzip), input);
            repack.CopyFrom(early);
            repack.Add("init", initContent);
            repack.Add($"{repack.ProgramFolder}/switch_root", switchRootContent);
            repack.End();
        }

        Write(input, output, early, packed);
    }

    private static void Write(string input, string output, long early, MemoryStream packed)
    {
        using FileStream file = InitrdReader.OpenFile(input);
        byte[] front = new byte[early + CpioHeader.Padding(early)];
        file.ReadExactly(front.AsSpan(0, (int)early));
        InitrdOutput.WriteLike(file, input, output, target =>
        {
            target.Append(front);
            target.Append(packed.GetBuffer().AsSpan(0, (int)packed.Length));
        });
    }

    private static byte[] ReadInit(string path)
    {
        byte[] content = Read(path);
        return content.AsSpan().StartsWith("#!"u8) && content.AsSpan().IndexOf("switch_root --subroot"u8) >= 0 ? content
            : throw new InitrdException($"{path}: this is no init of initramfs-tools that knows subroot=; {Builder}");
    }

    private static byte[] ReadSwitchRoot(string path)
    {
        byte[] content = Read(path);
        if (!content.AsSpan().StartsWith("\u007fELF"u8) || content.AsSpan().IndexOf("subroot"u8) < 0)
        {
            throw new InitrdException($"{path}: this is no switch_root that knows --subroot; {Builder}");
        }

        return !NeedsLoader(content) ? content
            : throw new InitrdException(
                $"{path}: this switch_root needs shared libraries, which the initrd may lack; a static one is needed, {Builder}");
    }

    private static byte[] Read(string path)
    {
        using FileStream file = InitrdReader.OpenFile(path);
        byte[] content = new byte[file.Length];
        file.ReadExactly(content);
        return content;
    }

    /// <summary>
    /// Whether a 64-bit little-endian ELF file has a program header PT_INTERP, so that it needs the loader of shared libraries.
    /// </summary>
    private static bool NeedsLoader(ReadOnlySpan<byte> elf)
    {
        const int HeaderLength = 64, ProgramHeaderLength = 56, TableOffset = 32, TableCount = 56, Interpreter = 3;
        if (elf.Length < HeaderLength)
        {
            return false;
        }

        // A damaged header may claim any offset.
        ulong table = BinaryPrimitives.ReadUInt64LittleEndian(elf[TableOffset..]);
        ReadOnlySpan<byte> headers = elf[(int)Math.Min(table, (ulong)elf.Length)..];
        int count = Math.Min(BinaryPrimitives.ReadUInt16LittleEndian(elf[TableCount..]), headers.Length / ProgramHeaderLength);
        for (int i = 0; i < count; i++)
        {
            if (BinaryPrimitives.ReadUInt32LittleEndian(headers[(i * ProgramHeaderLength)..]) == Interpreter)
            {
                return true;
            }
        }

        return false;
    }
}
