using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace HackTree.Tests.Tidy;

/// <summary>Checks what a reader may expect of any file.</summary>
public sealed partial class SourceTests
{
    private const int LongestFile = 400;
    private const int WidestLine = 180;

    [Fact]
    public void No_file_is_too_long_to_read()
    {
        var lengths = Repository.Files(".", ".cs", ".sh", ".py").ToDictionary(path => path, path => File.ReadLines(Path.Combine(Repository.Root, path)).Count());
        Assert.NotEmpty(lengths);
        Assert.Empty(lengths.Where(file => file.Value > LongestFile));
    }

    [Fact]
    public void No_line_is_too_wide_to_read()
    {
        // What a literal says is not code, and a table of them is better wide than broken.
        var wide = Repository.Files(".", ".cs").SelectMany(path => Literal().Replace(Repository.Read(path), "\"\"").Split('\n')
            .Where(line => line.Length > WidestLine).Select(line => $"{path}: {line.Trim()}"));
        Assert.Empty(wide);
    }

    [Fact]
    public void No_file_has_a_name_that_explains_nothing() =>
        Assert.DoesNotContain(Repository.Files(".", ".cs"), path => SaysNothing().IsMatch(path));

    [Fact]
    public void Every_public_type_of_a_library_says_what_it_is()
    {
        foreach (var name in new[] { "HackTree.Linux", "HackTree.Model", "HackTree.Store", "HackTree.Checkout" })
        {
            var library = System.Reflection.Assembly.Load(name);
            var said = XDocument.Load(Path.ChangeExtension(library.Location, ".xml")).Descendants("member")
                .Select(member => member.Attribute("name")?.Value).ToHashSet();
            Assert.Empty(library.GetExportedTypes().Select(type => "T:" + type.FullName!.Replace('+', '.')).Where(type => !said.Contains(type)));
        }
    }

    [GeneratedRegex(""""(?<quotes>"{3,})[\s\S]*?\k<quotes>|("(?:\\.|[^"\\\n])*")"""")]
    private static partial Regex Literal();

    [GeneratedRegex(@"(Manager|Helpers?|Util(s|ity|ities)?|Common|Misc)\.cs$")]
    private static partial Regex SaysNothing();
}
