#!/bin/bash
# Usage: terminal.sh HACKTREE TREE > terminal.svg
# Makes the picture in README.md: runs the commands below with that program, as root, in a directory of their own, and draws what they print.
# TREE is the root directory of a system. The commands see their directory at /mnt, in a mount namespace of their own.
set -euo pipefail
[ -n "${TERMINAL_PLACE-}" ] || TERMINAL_PLACE=$(mktemp -d) exec unshare --mount "$0" "$@"
trap 'cd /; umount /mnt; rm -rf "$TERMINAL_PLACE"' EXIT
mkdir "$TERMINAL_PLACE/bin" "$TERMINAL_PLACE/disk"
ln -s "$(realpath "$1")" "$TERMINAL_PLACE/bin/hacktree"
ln -s "$(realpath "$2")" "$TERMINAL_PLACE/disk/debian"
mount --bind "$TERMINAL_PLACE/disk" /mnt
cd /mnt
export PATH=$TERMINAL_PLACE/bin:$PATH
unset HACKTREE_STORE

while read -r line; do
    printf '$ %s\n' "$line"
    # diff ends with 3 if there are differences.
    bash -c "$line" < /dev/null 2>&1 || [ $? = 3 ]
done << 'END' > "$TERMINAL_PLACE/session"
hacktree init
hacktree commit -q -b debian -m 'as it was installed' debian/
hacktree checkout -q --boot debian r1
hacktree build -q -b debian --from debian -m 'a greeting' -- sh -c 'echo hello > /etc/motd'
hacktree checkout -q --boot debian r2
hacktree diff debian^ debian
hacktree roots
hacktree gc --explain r2/usr/bin/ls
hacktree du
END

sed 's/&/\&amp;/g; s/</\&lt;/g; s/>/\&gt;/g' "$TERMINAL_PLACE/session" | awk '
    { line[NR] = $0; if (length($0) > width) width = length($0) }
    END {
        printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" font-family=\"monospace\" font-size=\"13\">\n", width * 8 + 24, NR * 17 + 24
        print "<rect width=\"100%\" height=\"100%\" rx=\"6\" fill=\"#1e1e1e\"/>"
        for (i = 1; i <= NR; i++) {
            color = line[i] ~ /^\$ / ? "#9cdcfe" : "#d4d4d4"
            printf "<text xml:space=\"preserve\" x=\"12\" y=\"%d\" fill=\"%s\">%s</text>\n", i * 17 + 8, color, line[i]
        }
        print "</svg>"
    }'
