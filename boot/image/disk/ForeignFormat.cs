using System.Buffers.Binary;
using System.Text;

namespace HackTree.Boot;

/// <summary>
/// Recognizes files that hold a disk in a format that this program cannot read. Taken for raw bytes, such a file would look like an empty
/// disk, and a write to it would destroy it.
/// </summary>
internal static class ForeignFormat
{
    private const int FooterSize = 512;
    private const int CdOffset = 32769;

    // Each format by the bytes at an offset, with QEMU's name for it.
    private static readonly (string Name, string Driver, int Offset, byte[] Magic)[] ByQemu =
    [
        ("a VMware disk (vmdk)", "vmdk", 0, "KDMV"u8.ToArray()),
        ("a VMware disk (vmdk)", "vmdk", 0, "COWD"u8.ToArray()),
        ("a VMware disk (vmdk)", "vmdk", 0, "# Disk DescriptorFile"u8.ToArray()),
        ("a VirtualBox disk (vdi)", "vdi", 64, [0x7F, 0x10, 0xDA, 0xBE]),
        ("a Hyper-V disk (vhdx)", "vhdx", 0, "vhdxfile"u8.ToArray()),
        ("a Virtual PC disk (vhd)", "vpc", 0, "conectix"u8.ToArray()),
        ("a disk in QEMU's first format (qcow)", "qcow", 0, [(byte)'Q', (byte)'F', (byte)'I', 0xFB, 0, 0, 0, 1]),
        ("a QED disk", "qed", 0, "QED\0"u8.ToArray()),
        ("a Parallels disk", "parallels", 0, "WithoutFreeSpace"u8.ToArray()),
        ("a Parallels disk", "parallels", 0, "WithouFreSpacExt"u8.ToArray()),
        ("a Bochs disk", "bochs", 0, "Bochs Virtual HD Image"u8.ToArray()),
    ];

    private static readonly (string Name, string Advice, int Offset, byte[] Magic)[] Other =
    [
        ("compressed (gzip)", "unpack it first with `gzip -d`", 0, [0x1F, 0x8B]),
        ("compressed (xz)", "unpack it first with `xz -d`", 0, [0xFD, (byte)'7', (byte)'z', (byte)'X', (byte)'Z', 0]),
        ("compressed (zstd)", "unpack it first with `zstd -d`", 0, [0x28, 0xB5, 0x2F, 0xFD]),
        ("compressed (bzip2)", "unpack it first with `bzip2 -d`", 0, "BZh"u8.ToArray()),
        ("a zip archive", "unpack it first with `unzip`", 0, "PK\x03\x04"u8.ToArray()),
        ("an archive (tar, ova)", "unpack it first with `tar -xf`", 257, "ustar"u8.ToArray()),
        (
            "encrypted (LUKS)",
            "make a plain disk of it with `qemu-img convert --object secret,id=key,file=KEYFILE "
                + "--image-opts driver=luks,file.filename=IMAGE,key-secret=key -O qcow2 NEW.qcow2`",
            0,
            [(byte)'L', (byte)'U', (byte)'K', (byte)'S', 0xBA, 0xBE]),
        ("a squashfs", "install its system onto a disk", 0, "hsqs"u8.ToArray()),
        ("a CD image (ISO 9660)", "install its system onto a disk", CdOffset, "CD001"u8.ToArray()),
    ];

    /// <summary>What a file holds and what to do about it, as the end of a sentence; null if it is no format that is known here.</summary>
    internal static string? Find(Stream file, string path)
    {
        byte[] beginning = new byte[CdOffset + 5];
        file.Position = 0;
        int count = file.ReadAtLeast(beginning, beginning.Length, throwOnEndOfStream: false);
        bool Has(int offset, byte[] magic) => offset + magic.Length <= count && beginning.AsSpan(offset, magic.Length).SequenceEqual(magic);
        foreach ((string name, string driver, int offset, byte[] magic) in ByQemu)
        {
            if (Has(offset, magic))
            {
                return ForQemu(name, driver, path);
            }
        }

        foreach ((string name, string advice, int offset, byte[] magic) in Other)
        {
            if (Has(offset, magic))
            {
                return $"it is {name}; {advice.Replace("IMAGE", path, StringComparison.Ordinal)}";
            }
        }

        // These two have their mark at the end.
        return Footer(file) switch
        {
            "conectix" => ForQemu("a Virtual PC disk (vhd)", "vpc", path),
            "koly" => ForQemu("a macOS disk (dmg)", "dmg", path),
            _ => null,
        };
    }

    private static string ForQemu(string name, string driver, string path) =>
        $"it is {name}; make a qcow2 of it with `qemu-img convert -f {driver} -O qcow2 {path} NEW.qcow2`";

    private static string Footer(Stream file)
    {
        if (file.Length < FooterSize)
        {
            return "";
        }

        byte[] footer = new byte[8];
        file.Position = file.Length - FooterSize;
        file.ReadExactly(footer);
        return BinaryPrimitives.ReadUInt32BigEndian(footer) == 0x6B6F6C79 ? "koly" : Encoding.Latin1.GetString(footer);
    }
}
