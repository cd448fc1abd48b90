namespace HackTree.Boot;

/// <summary>
/// GRUB commands that make a menu of the roots when the machine starts, so roots and kernels that are made, removed or upgraded later need no
/// new configuration. They use the loops, conditions and functions of https://www.gnu.org/software/grub/manual/grub/grub.html, chapter 16, and
/// need the modules smbios, test and regexp; regexp must be loaded before the first pattern.
/// </summary>
internal static class GrubMenu
{
    /// <summary>The name of GRUB's environment in /boot/grub.</summary>
    internal const string EnvironmentFile = "grubenv";

    private const int EnvironmentSize = 1024;

    /// <summary>The variables of the environment that <see cref="BootChoice"/> sets and the commands read.</summary>
    internal const string DefaultName = "hacktree_default";
    internal const string TrialName = "hacktree_trial";
    internal const string TriesName = "hacktree_tries";

    /// <summary>The variable in a root's <see cref="KernelOptions"/>.</summary>
    internal const string OptionsName = "hacktree_options";

    // Between these are the options of a root without own ones.
    private const string OptionsStart = "linux \"$hacktree_kernel\" ";
    private const string OptionsEnd = " subroot=$1";

    private const string DefaultLine = "set hacktree_usual=";

    /// <summary>The file in /boot with HackTree's part of the initrd. Each menu entry loads it after the system's own initrd.</summary>
    internal const string Segment = "hacktree.cpio.gz";

    /// <summary>
    /// The commands. Each directory with a usr/ in it gets an entry. An entry boots the kernel that <see cref="RootKernel"/> tells of, and with the
    /// root's own options if it has some.
    /// A root on trial (<see cref="BootChoice"/>) boots until its tries are used up. GRUB cannot subtract. A count that cannot be written is no trial.
    /// What grub-reboot(8) asked for boots once; on a converted disk, grub.cfg may have taken that already, and then boot_once is true.
    /// The root that <see cref="SmbiosText"/> names gets an entry even if it does not exist; the initrd then says so. On a machine without
    /// that string GRUB prints a line and goes on.
    /// </summary>
    /// <param name="root">The root that boots if nobody chooses.</param>
    /// <param name="options">The kernel's options, except subroot=.</param>
    /// <param name="ownOptions">Further options for that root only.</param>
    internal static string Commands(string root, string options, string ownOptions = "") =>
        $$"""
        insmod regexp
        function hacktree_find {
            set hacktree_kernel=
            set hacktree_initrd=
            set hacktree_version=
            set hacktree_fits=
            for hacktree_file in /boot/vmlinuz-* "/$1/boot/"vmlinuz-*; do
                if regexp --set 1:hacktree_place --set 2:hacktree_name '^(.*)/vmlinuz-([^/]*)$' "$hacktree_file"; then
                    if [ -f "$hacktree_place/initrd.img-$hacktree_name" ]; then
                        set hacktree_better=
                        set hacktree_has=
                        if [ -d "/$1/usr/lib/modules/$hacktree_name" -o -d "/$1/lib/modules/$hacktree_name" ]; then set hacktree_has=1; fi
                        if [ -z "$hacktree_version" ]; then
                            set hacktree_better=1
                        elif [ "$hacktree_has" != "$hacktree_fits" ]; then
                            set hacktree_better="$hacktree_has"
                        elif [ "$hacktree_name" = "$hacktree_version" ]; then
                            if [ "$hacktree_place/initrd.img-$hacktree_name" -nt "$hacktree_initrd" ]; then set hacktree_better=1; fi
                        elif [ "$hacktree_name" -pgt "$hacktree_version" ]; then
                            set hacktree_better=1
                        fi
                        if [ -n "$hacktree_better" ]; then
                            set hacktree_kernel="$hacktree_file"
                            set hacktree_initrd="$hacktree_place/initrd.img-$hacktree_name"
                            set hacktree_version="$hacktree_name"
                            set hacktree_fits="$hacktree_has"
                        fi
                    fi
                fi
            done
        }
        function hacktree_boot {
            hacktree_find "$1"
            if [ "$1" = {{root}} ]; then set hacktree_own="{{ownOptions}}"; else set hacktree_own=; fi
            set {{OptionsName}}=
            if [ -s "/$1/{{KernelOptions.File}}" ]; then load_env --file "/$1/{{KernelOptions.File}}" {{OptionsName}}; fi
            if [ -n "${{OptionsName}}" ]; then
                linux "$hacktree_kernel" {{KernelOptions.Fixed(options)}} ${{OptionsName}} subroot=$1 $hacktree_own $hacktree_tried $hacktree_more
            else
                {{OptionsStart}}{{options}}{{OptionsEnd}} $hacktree_own $hacktree_tried $hacktree_more
            fi
            initrd "$hacktree_initrd" /boot/{{Segment}}
        }
        if [ -s "$prefix/grubenv" ]; then load_env; fi
        if [ -n "$next_entry" ]; then
            set default="$next_entry"
            set next_entry=
            save_env next_entry
        elif [ "$boot_once" != true ]; then
            {{DefaultLine}}{{root}}
            set default="$hacktree_usual"
            if [ -n "${{DefaultName}}" ]; then set default="${{DefaultName}}"; fi
            if [ -n "${{TrialName}}" -a -d "/${{TrialName}}/usr" ]; then
                set hacktree_left=
                {{CountDown()}}
                if [ -n "$hacktree_left" ]; then
                    set {{TriesName}}="$hacktree_left"
                    if save_env {{TriesName}}; then
                        set hacktree_tried="{{LoaderEntry.OptionsOfTrial("$default")}}"
                        set fallback="$default"
                        set default="${{TrialName}}"
                    fi
                fi
            fi
        fi
        for hacktree_file in /*; do
            if regexp --set 1:hacktree_name '/([^./][^/]*)$' "$hacktree_file"; then
                if [ -d "$hacktree_file/usr" ]; then
                    menuentry "$hacktree_name" --id "$hacktree_name" { hacktree_boot "$1" }
                fi
            fi
        done
        if smbios --type 11 --get-string 4 --set hacktree_string; then
            if regexp --set 1:hacktree_name --set 2:hacktree_more '^hacktree:([^:]*):(.*)$' "$hacktree_string"; then
                if [ -n "$hacktree_name" ]; then
                    set default="$hacktree_name"
                    if [ ! -d "/$hacktree_name/usr" ]; then
                        menuentry "$hacktree_name" --id "$hacktree_name" { hacktree_boot "$1" }
                    fi
                fi
            fi
        fi
        """;

    /// <summary>A line for each number of tries that there may be.</summary>
    private static string CountDown() => string.Join(
        "\n        ",
        Enumerable.Range(1, BootChoice.MostTries).Select(tries => $"if [ \"${TriesName}\" = {tries} ]; then set hacktree_left={tries - 1}; fi"));

    /// <summary>The root that boots in a menu of these commands if the environment names none; null for another menu.</summary>
    internal static string? DefaultOf(string menu) =>
        menu.Contains("function hacktree_find", StringComparison.Ordinal)
            ? menu.Split('\n', StringSplitOptions.TrimEntries)
                .FirstOrDefault(line => line.StartsWith(DefaultLine, StringComparison.Ordinal))?[DefaultLine.Length..]
            : null;

    /// <summary>The options that a menu of these commands gives a root without own ones, except subroot=.</summary>
    internal static string OptionsOf(string menu)
    {
        int start = menu.LastIndexOf(OptionsStart, StringComparison.Ordinal) + OptionsStart.Length;
        return menu[start..menu.IndexOf(OptionsEnd, start, StringComparison.Ordinal)];
    }

    /// <summary>
    /// An empty environment of GRUB, in which grub-reboot(8) leaves the next entry. GRUB can write to it only if it has its whole length.
    /// </summary>
    internal static string EmptyEnvironment => "# GRUB Environment Block\n".PadRight(EnvironmentSize, '#');

    /// <summary>
    /// The text for the menu in an OEM string of the SMBIOS, the last one of type 11: the root to boot (null for the usual one), and further
    /// options for the kernel.
    /// </summary>
    internal static string SmbiosText(string? root, string more) => $"hacktree:{root}:{more}";
}
