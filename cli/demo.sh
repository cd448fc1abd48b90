#!/usr/bin/env bash
# Usage: cli/demo.sh
# Shows what hacktree does with a real Debian root: two commits, two roots on one filesystem, what they share, gc and fsck.
# Everything is below out/demo. The Debian root there (base) is kept for the next run; everything else is made again.
set -euo pipefail
cd "$(dirname "$0")/.."

PATH=$PWD/out:/usr/sbin:/sbin:$PATH
compare=$PWD/tests/Support/compare.py
work=$PWD/out/demo
unset HACKTREE_STORE SOURCE_DATE_EPOCH

bold='' dim='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then bold=$'\e[1m' dim=$'\e[2m' plain=$'\e[0m'; fi

title() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
say() { printf '  %s\n' "$*"; }
fail() { printf 'demo: %s\n' "$*" >&2; exit 1; }
size() { numfmt --to=si --suffix=B "$1"; }

# Shows and runs a command of hacktree. Indents its output, and keeps its peak memory.
peaks=()
run() {
    local code=0 word line='$ hacktree'
    for word; do
        case $word in *' '*) line+=" '$word'" ;; *) line+=" $word" ;; esac
    done
    printf '  %s%s%s\n' "$dim" "$line" "$plain"
    if [ -x /usr/bin/time ]; then
        /usr/bin/time -q -o "$work/time" -f '%M' hacktree "$@" > "$work/said" 2>&1 || code=$?
        peaks+=("$(tail -n 1 "$work/time")")
    else
        hacktree "$@" > "$work/said" 2>&1 || code=$?
    fi
    sed 's/^hacktree: //; s/^/    /' "$work/said"
    return "$code"
}

# Makes a Debian root with mmdebstrap. If that is impossible, takes files of this machine.
make_base() {
    [ ! -d "$work/base" ] || { say "the one of an earlier run: out/demo/base"; return; }
    rm -rf "$work/base.new"
    if [ "$(id -u)" = 0 ] && command -v mmdebstrap > /dev/null; then
        say 'mmdebstrap makes one; that takes half a minute or so, the first time'
        if timeout 600 mmdebstrap --quiet --variant=minbase bookworm "$work/base.new" > "$work/mmdebstrap.log" 2>&1; then
            mv "$work/base.new" "$work/base"
            return
        fi
        say "mmdebstrap could not make one ($(tail -n 1 "$work/mmdebstrap.log"))"
    elif [ "$(id -u)" != 0 ]; then
        say 'not root, so no Debian root can be made'
    fi
    say "instead: a copy of this machine's /usr/bin and /usr/share/doc"
    rm -rf "$work/base.new"
    mkdir -p "$work/base.new/usr/share" "$work/base.new/etc"
    cp -a /usr/bin "$work/base.new/usr/" 2> /dev/null || true
    cp -a /usr/share/doc "$work/base.new/usr/share/" 2> /dev/null || true
    cp /etc/os-release "$work/base.new/etc/"
    mv "$work/base.new" "$work/base"
}

# Does what an upgrade does to a root: installs a package, purges one, replaces and edits files.
upgrade() {
    local root=$1 deb='' file
    if [ -x "$root/usr/bin/dpkg" ] && [ "$(id -u)" = 0 ]; then
        mkdir -p "$work/debs"
        deb=$(find "$work/debs" -name 'less_*.deb' -print -quit)
        if [ -z "$deb" ] && (cd "$work/debs" && timeout 60 apt-get -qq download less) > /dev/null 2>&1; then
            deb=$(find "$work/debs" -name 'less_*.deb' -print -quit)
        fi
        if [ -n "$deb" ] && dpkg --root="$root" -i "$deb" > "$work/dpkg.log" 2>&1; then
            say "$(basename "$deb") is installed"
        fi
        if dpkg --root="$root" --force-depends --purge tzdata > "$work/dpkg.log" 2>&1; then
            say 'tzdata is purged'
        fi
    fi
    mkdir -p "$root/opt/new"
    head -c 300000 /dev/urandom > "$root/opt/new/data"
    find "$root/usr/bin" -type f -size +20k | sort | sed -n 1,5p | while read -r file; do
        # Like dpkg, this puts a new file in place of the old one.
        cp -p "$file" "$file.dpkg-new"
        echo '# rebuilt' >> "$file.dpkg-new"
        mv "$file.dpkg-new" "$file"
    done
    find "$root/usr/share/doc" -mindepth 1 -maxdepth 1 -type d | sort | sed -n 1,3p | xargs rm -rf
    echo 'PRETTY_NAME="upgraded by the demo"' > "$root/etc/os-release.new"
    mv "$root/etc/os-release.new" "$root/etc/os-release"
    say 'five programs are rebuilt, three directories of documentation are removed, /opt/new is added, /etc/os-release changes'
}

# Compares a root with the tree it was made from, byte for byte, by a program that shares no code with hacktree.
same() {
    if ! command -v python3 > /dev/null; then
        diff -r --no-dereference "$1" "$2" > "$work/compared" 2>&1 || fail "$2 is not the tree that was committed: $(head -n 1 "$work/compared")"
    else
        python3 "$compare" --no-sockets "$1" "$2" > "$work/compared" 2>&1 || { cat "$work/compared" >&2; fail "$2 is not the tree that was committed"; }
    fi
    say "$(basename "$2") is the tree that was committed, in every name, byte, mode, owner, time and attribute"
}

command -v hacktree > /dev/null || fail 'out/hacktree is not there; run make build'
mkdir -p "$work"
started=$SECONDS

title 'A Debian root'
make_base
if [ -e "$work/base/var/lib/dpkg/status" ]; then
    ref=debian/bookworm subject='Debian bookworm'
else
    ref=local/files subject='files of this machine'
fi
files=$(find "$work/base" ! -type d | wc -l)
bytes=$(find "$work/base" -type f -printf '%s\n' | awk '{ sum += $1 } END { printf "%d", sum }')
say "$files files, $(size "$bytes")"
[ "$files" -gt 100 ] || fail "out/demo/base is no tree worth showing; remove it and try again"

title 'A store, and the root as a commit'
rm -rf "$work/disk" "$work/next"
mkdir "$work/disk"
cd "$work/disk"
mode=()
if [ "$(id -u)" != 0 ]; then
    mode=(--user)
    say 'in user mode: owners and devices are recorded, but only root could restore them'
fi
run init ${mode[@]+"${mode[@]}"}
run commit -b $ref -s "$subject" ../base

title 'An upgrade of a copy of it, and the next commit'
cp -a --reflink=auto "$work/base" "$work/next"
upgrade "$work/next"
run commit -b $ref -s "$subject, upgraded" ../next
run log $ref

title 'Both as roots, on one filesystem'
run checkout $ref^ r0
run checkout $ref r1
same "$work/base" "$work/disk/r0"
same "$work/next" "$work/disk/r1"
run roots

title 'What they share'
find r0 -type f -printf '%i %s\n' | sort -u > "$work/r0"
find r1 -type f -printf '%i %s\n' | sort -u > "$work/r1"
read -r shared shared_bytes < <(comm -12 "$work/r0" "$work/r1" | awk '{ count++; sum += $2 } END { printf "%d %d\n", count, sum }')
say "$shared of $(wc -l < "$work/r1") files of r1 are the very inodes of r0: $(size "$shared_bytes")"
[ "$shared" -gt 0 ] || fail 'the roots share nothing'
apart=$(du -s --block-size=1 r0 r1 --count-links | awk '{ sum += $1 } END { printf "%d", sum }')
together=$(du -s --block-size=1 "$work/disk" | cut -f 1)
say "on disk: two copies would take $(size "$apart"); store and both roots take $(size "$together")"
run du

title 'What the upgrade changed'
run diff --stat $ref^ $ref || [ $? = 3 ]
hacktree diff $ref^ $ref > "$work/diff" || [ $? = 3 ]
lines=$(wc -l < "$work/diff")
awk 'shown[$1]++ < 3 { print "    " $0 }' "$work/diff"
say "... $lines lines in all"
code=0
hacktree diff $ref ../next || code=$?
[ "$code" = 0 ] || fail 'the commit is not the tree it was made of'

title 'The old root is removed'
rm -rf r0
say 'r0 is removed'
run gc --depth 0
run fsck
same "$work/next" "$work/disk/r1"
[ "$(hacktree log $ref | wc -l)" = 1 ] || fail 'gc left the old commit'

title 'Done'
say "$((SECONDS - started)) s in all; hacktree's peak memory was $( ((${#peaks[@]})) && printf '%s\n' "${peaks[@]}" | sort -n | tail -n 1 | numfmt --from-unit=1024 --to=si --suffix=B || echo unknown)"
say "look around: cd out/demo/disk; ../../hacktree ls -l $ref etc"
rm -f "$work"/{time,said,compared,r0,r1,diff}
