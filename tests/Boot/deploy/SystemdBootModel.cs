using System.Globalization;
using System.Text.RegularExpressions;
using HackTree.Model;

namespace HackTree.Tests.Boot;

/// <summary>
/// What systemd-boot does with the entries on an EFI system partition, after src/boot/efi/boot.c of systemd 252 (config_entry_compare and
/// config_entry_parse_tries): it starts the first, and counts its tries before. It passes over an entry that names no kernel, such as an empty file, or
/// one that is not there (config_entry_add_type1).
/// </summary>
internal static partial class SystemdBootModel
{
    /// <summary>The kernel's options of the entry that would start. Fails if one of its files is missing.</summary>
    public static string Peek(string efi) => First(efi).Options;

    /// <summary>Starts the first entry and returns the kernel's options.</summary>
    public static string Start(string efi)
    {
        Entry first = First(efi);
        if (first.TriesLeft >= 0)
        {
            string counted = string.Create(CultureInfo.InvariantCulture, $"{first.Prefix}+{Math.Max(first.TriesLeft - 1, 0)}-{first.TriesDone + 1}.conf");
            File.Move(first.Path, Path.Combine(Path.GetDirectoryName(first.Path)!, counted));
        }

        return first.Options;
    }

    private static Entry First(string efi)
    {
        string[] files = [.. Directory.GetFiles(Path.Combine(efi, "loader/entries")).Where(file => file.EndsWith(".conf", StringComparison.Ordinal))];
        Entry? first = files.Select(file => Entry.Read(efi, file)).OfType<Entry>().Min();
        Assert.True(first is not null, $"the loader finds no entry among {string.Join(", ", files.Select(file => $"{file}: {File.ReadAllText(file)}"))}");
        Assert.All(first.Files, file => RequireWhole(efi, file));
        return first;
    }

    /// <summary>Fails unless a file is there and has the digest that its directory is named by, if it is.</summary>
    private static void RequireWhole(string efi, string file)
    {
        string path = Path.Combine(efi, file.TrimStart('/'));
        Assert.True(File.Exists(path), $"{file} is not there");
        bool isOurs = file.StartsWith("/hacktree/", StringComparison.Ordinal);
        Assert.True(!isOurs || $"{Verity.Compute(File.ReadAllBytes(path))}" == Path.GetFileName(Path.GetDirectoryName(path)), $"{file} has another digest");
    }

    /// <summary>An entry as the loader reads it.</summary>
    private sealed partial record Entry(string Path, string Prefix, int TriesLeft, int TriesDone, string? SortKey, string Version, string[] Files, string Options)
        : IComparable<Entry>
    {
        internal static Entry? Read(string efi, string path)
        {
            Match name = Name().Match(System.IO.Path.GetFileName(path));
            ILookup<string, string> lines = File.ReadLines(path).Select(line => line.Split(' ', 2)).ToLookup(line => line[0], line => line[^1]);
            if (!lines["linux"].Any() || !File.Exists(System.IO.Path.Combine(efi, lines["linux"].Single().TrimStart('/'))))
            {
                return null;
            }

            int Number(int group, int missing) => name.Groups[group].Success ? int.Parse(name.Groups[group].Value, CultureInfo.InvariantCulture) : missing;
            return new Entry(
                path, name.Groups[1].Value, Number(2, -1), Number(3, 0), lines["sort-key"].FirstOrDefault(), lines["version"].First(),
                [lines["linux"].Single(), .. lines["initrd"]], string.Join(' ', lines["options"]));
        }

        public int CompareTo(Entry? other)
        {
            int order = (TriesLeft == 0).CompareTo(other!.TriesLeft == 0);
            order = order != 0 ? order : (SortKey is null).CompareTo(other.SortKey is null);
            if (order == 0 && SortKey is not null)
            {
                order = string.CompareOrdinal(SortKey, other.SortKey);
                order = order != 0 ? order : -long.Parse(Version, CultureInfo.InvariantCulture).CompareTo(long.Parse(other.Version, CultureInfo.InvariantCulture));
            }

            return order != 0 ? order : -string.CompareOrdinal(System.IO.Path.GetFileName(Path), System.IO.Path.GetFileName(other.Path));
        }

        [GeneratedRegex(@"^(.*?)(?:\+([0-9]+)(?:-([0-9]+))?)?\.conf$")]
        private static partial Regex Name();
    }
}
