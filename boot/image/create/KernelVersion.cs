using HackTree.Checkout;

namespace HackTree.Boot;

/// <summary>Compares versions of kernels, such as that in vmlinuz-6.1.0-56-amd64.</summary>
internal static class KernelVersion
{
    /// <summary>The version of the newest kernel in a /boot that also has an initrd there; null if there is none.</summary>
    internal static string? FindNewest(string boot) => In(boot).MaxBy(version => version, Comparer<string>.Create(Compare));

    /// <summary>The versions of the kernels in a /boot that also have an initrd there.</summary>
    internal static IEnumerable<string> In(string boot) =>
        Directory.Exists(boot)
            ? Directory.EnumerateFiles(boot, BootFolder.KernelName("*"))
                .Select(path => BootFolder.VersionOf(Path.GetFileName(path))!)
                .Where(version => File.Exists(Path.Combine(boot, BootFolder.InitrdName(version))))
            : [];

    /// <summary>Compares two versions. Runs of digits compare as numbers.</summary>
    internal static int Compare(string a, string b)
    {
        int i = 0;
        int j = 0;
        while (i < a.Length && j < b.Length)
        {
            if (char.IsAsciiDigit(a[i]) && char.IsAsciiDigit(b[j]))
            {
                ReadOnlySpan<char> left = Digits(a, ref i);
                ReadOnlySpan<char> right = Digits(b, ref j);
                int order = left.Length != right.Length ? left.Length - right.Length : left.SequenceCompareTo(right);
                if (order != 0)
                {
                    return order;
                }
            }
            else if (a[i] != b[j])
            {
                return a[i] - b[j];
            }
            else
            {
                i++;
                j++;
            }
        }

        return (a.Length - i) - (b.Length - j);
    }

    private static ReadOnlySpan<char> Digits(string text, ref int at)
    {
        int start = at;
        while (at < text.Length && char.IsAsciiDigit(text[at]))
        {
            at++;
        }

        return text.AsSpan(start, at - start).TrimStart('0');
    }
}
