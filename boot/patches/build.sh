#!/usr/bin/env bash
# Usage: boot/patches/build.sh DIR
# Gets Debian 12's util-linux and initramfs-tools with apt-get source, applies the two patches beside this script, and builds. Makes
# DIR/switch_root (static), DIR/init and the patched trees DIR/util-linux and DIR/initramfs-tools. Does nothing if they exist and the
# patches are the same.
set -euo pipefail
patches=$(cd "$(dirname "$0")" && pwd)

fail() { echo "$*" >&2; exit 1; }

[ $# = 1 ] || { echo "usage: $0 DIR" >&2; exit 2; }
for tool in apt-get dpkg-source patch make gcc flock; do
    command -v "$tool" > /dev/null || fail "the classic chain cannot be built: $tool is not installed (.setup/apt test)"
done

mkdir -p "$1"
cd "$1"
exec 9> lock
flock 9
made=$(cat "$patches"/*.patch "$patches/build.sh" | sha256sum)
[ "$(cat made 2> /dev/null)" != "$made" ] || exit 0
rm -rf made build.log util-linux initramfs-tools switch_root init new
mkdir -p new/apt/lists/partial new/apt/cache/archives/partial

# apt gets a separate source list and state, so that nothing on this machine changes.
for suite in bookworm bookworm-updates; do
    echo "deb-src http://deb.debian.org/debian $suite main"
done > new/apt/sources.list
echo 'deb-src http://deb.debian.org/debian-security bookworm-security main' >> new/apt/sources.list
apt=(timeout 300 apt-get -q -o "Dir::Etc::SourceList=$PWD/new/apt/sources.list" -o Dir::Etc::SourceParts=- -o "Dir::State::Lists=$PWD/new/apt/lists"
    -o "Dir::Cache=$PWD/new/apt/cache" -o APT::Sandbox::User=root -o Acquire::Retries=2)
{
    "${apt[@]}" -o APT::Update::Error-Mode=any update &&
        (cd new && "${apt[@]}" source --only-source util-linux initramfs-tools)
} > build.log 2>&1 < /dev/null || fail "cannot get the sources of util-linux and initramfs-tools from deb.debian.org: is there a network? ($PWD/build.log)"

# Moves the tree that apt-get unpacked to its place, and patches it.
apply() {
    mv new/"$1"-*/ "$1"
    patch -d "$1" -p1 --fuzz=0 --no-backup-if-mismatch < "$patches/$2" >> build.log 2>&1 || fail "$2 does not apply to $1 ($PWD/build.log)"
}
apply util-linux 0001-switch_root-Add-subroot-option.patch
apply initramfs-tools 0001-Add-support-for-subroot-option.patch

# Debian's own patches make configure look older than configure.ac. Making configure again would need autoconf.
build() {
    touch aclocal.m4 && touch configure config.h.in Makefile.in &&
        ./configure --quiet --disable-all-programs --enable-switch_root --disable-nls --disable-shared &&
        make --silent switch_root LDFLAGS=-all-static
}
(cd util-linux && build) >> build.log 2>&1 < /dev/null || fail "the patched switch_root does not build ($PWD/build.log)"

install -s -m 755 util-linux/switch_root switch_root
install -m 755 initramfs-tools/init init
rm -rf new
echo "$made" > made
