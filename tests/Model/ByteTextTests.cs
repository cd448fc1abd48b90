using System.Globalization;
using System.Text;
using CsCheck;
using HackTree.Model;

namespace HackTree.Tests.Model;

public sealed class ByteTextTests
{
    [Theory]
    [InlineData("", "")]
    [InlineData("plain name.txt ~", "plain name.txt ~")]
    [InlineData("café 😀 日本", "café 😀 日本")]
    [InlineData("a\nb\tc\rd\\e", "a\\nb\\tc\\rd\\\\e")]
    [InlineData("\u001B[31mred\u0007", "\\033[31mred\\007")]
    [InlineData("\0\u007F", "\\000\\177")]
    [InlineData("c1\u0085\u009B", "c1\\302\\205\\302\\233")]
    [InlineData("fdp\u202Egpj", "fdp\\342\\200\\256gpj")]
    [InlineData("a\u2028b\u2029", "a\\342\\200\\250b\\342\\200\\251")]
    public void Text_is_shown_as_it_is_but_for_what_moves_a_cursor(string text, string shown) =>
        Assert.Equal(shown, ByteText.Quote(Encoding.UTF8.GetBytes(text)));

    [Theory]
    [InlineData("FF", "\\377")]
    [InlineData("61FF62", "a\\377b")]
    [InlineData("C3", "\\303")]
    [InlineData("C3A9C3", "é\\303")]
    [InlineData("F09F98", "\\360\\237\\230")]
    [InlineData("EDA080", "\\355\\240\\200")]
    [InlineData("C080", "\\300\\200")]
    [InlineData("F4908080", "\\364\\220\\200\\200")]
    public void Bytes_that_are_not_UTF_8_are_shown_as_octal(string hex, string shown) =>
        Assert.Equal(shown, ByteText.Quote(Convert.FromHexString(hex)));

    [Fact]
    public void Any_bytes_make_one_line_that_can_be_read_back() => Gen.OneOf<byte[]>(
            Gen.Byte.Array[0, 40],
            Gen.OneOf((byte)'\\', (byte)'n', (byte)'0', (byte)0xC3, (byte)0xA9, (byte)0xE2, (byte)0x80, (byte)0xA8).Array[0, 40])
        .Sample(bytes =>
        {
            string shown = ByteText.Quote(bytes);
            Assert.DoesNotContain(shown.EnumerateRunes(), MovesCursor);
            Assert.Equal(bytes, Unquote(shown));
        });

    [Fact]
    public void Any_bytes_of_a_command_line_become_a_string_and_come_back() => Gen.Byte.Array[0, 40].Sample(bytes =>
    {
        string argument = ByteText.ToArgument(bytes);
        Assert.Equal(bytes, ByteText.FromArgument(argument));
        if (ByteText.IsUtf8(bytes))
        {
            Assert.Equal(Encoding.UTF8.GetString(bytes), argument);
        }
    });

    [Fact]
    public void Bytes_of_UTF_8_are_told_from_others()
    {
        Assert.True(ByteText.IsUtf8([]));
        Assert.True(ByteText.IsUtf8("é\0😀"u8));
        Assert.False(ByteText.IsUtf8([0xFF]));
        Assert.False(ByteText.IsUtf8([0xED, 0xA0, 0x80]));
        Assert.Equal("é"u8, ByteText.FromArgument("é"));
    }

    private static bool MovesCursor(Rune rune) => Rune.GetUnicodeCategory(rune)
        is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator;

    private static byte[] Unquote(string shown)
    {
        List<byte> bytes = [];
        for (int i = 0; i < shown.Length; i++)
        {
            if (shown[i] != '\\')
            {
                Rune rune = Rune.GetRuneAt(shown, i);
                bytes.AddRange(Encoding.UTF8.GetBytes(rune.ToString()));
                i += rune.Utf16SequenceLength - 1;
                continue;
            }

            char next = shown[++i];
            if (char.IsAsciiDigit(next))
            {
                bytes.Add(Convert.ToByte(shown.Substring(i, 3), 8));
                i += 2;
            }
            else
            {
                bytes.Add((byte)(next switch { 'n' => '\n', 't' => '\t', 'r' => '\r', _ => next }));
            }
        }

        return [.. bytes];
    }
}
