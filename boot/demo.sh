#!/usr/bin/env bash
# Usage: boot/demo.sh
# Shows how a disk with two roots boots in an emulated machine: r0, which commits itself and makes r1 from that commit; r1; and r0 again.
# Everything is below out/demo-boot. Needs root. Takes some four minutes without KVM.
set -euo pipefail
cd "$(dirname "$0")/.."

PATH=$PWD/out:/usr/sbin:/sbin:$PATH
work=$PWD/out/demo-boot
disk=$work/disk.img
unset HACKTREE_STORE SOURCE_DATE_EPOCH

title() { printf '\n%s\n' "$*"; }
fail() { printf 'demo-boot: %s\n' "$*" >&2; exit 1; }
run() { printf '  $ hacktree %s\n' "$*"; hacktree "$@" 2>&1 | sed 's/^hacktree: //; s/^/    /'; }

# What the machine does when it is up: it says which root it is, r0 makes r1, and it switches itself off. The machine says this on its second
# serial port, because a message of the kernel may stand in the middle of any line on the console.
guest() {
    cat << 'EOF'
exec > /dev/ttyS1 2>&1
root=$(findmnt -n -o FSROOT /)
say() { echo "DEMO $*"; }
say "this is $root: $(systemctl is-system-running --wait), / is $(findmnt -n -o VFS-OPTIONS / | cut -d , -f 1), $(cat /etc/motd)"
if [ "$root" = /r0 ] && [ ! -d /sysroot/r1 ]; then
    echo "said by r1" > /etc/motd
    hacktree commit -b next / 2>&1 | while read -r line; do say "$line"; done
    hacktree checkout --boot next /sysroot/r1 2>&1 | while read -r line; do say "$line"; done
    echo "said by r0" > /etc/motd
fi
say "roots: $(hacktree roots | grep -o '/sysroot/r[0-9]' | tr '\n' ' ')"
systemctl poweroff
EOF
}

boot() {
    printf '  $ hacktree image run disk.img --subroot %s\n' "$1"
    hacktree image run "$disk" --subroot "$1" --no-reboot --timeout 600 --report "$work/$1.report" < /dev/null > "$work/$1.console" 2>&1 \
        || fail "$1 did not switch itself off; $work/$1.console is its console"
    # A serial port's lines end with a carriage return.
    tr -d '\r' < "$work/$1.report" | grep -a '^DEMO ' > "$work/$1.said" || fail "$1 did not come up; $work/$1.console is its console"
    sed 's/^DEMO /    /' "$work/$1.said"
    grep -q "^DEMO this is /$1: running" "$work/$1.said" || fail "$1 did not come up well; $work/$1.console is its console"
}

[ "$(id -u)" = 0 ] || fail 'only root can make the disk'
rm -rf "$work"
mkdir -p "$work"

title 'A disk with a store, one root and a boot loader'
debian=$(.setup/boot-root)
run image create --tree "$debian" -o "$disk" --roots r0 --size 3G --menu 0
guest > "$work/guest.sh"
hacktree image edit "$disk" -- sh -c "
    cp $PWD/out/hacktree r0/usr/bin/hacktree
    cp $work/guest.sh r0/etc/demo.sh
    echo 'said by r0' > r0/etc/motd
    printf '[Service]\nExecStart=/bin/sh /etc/demo.sh\n' > r0/etc/systemd/system/demo.service
    mkdir -p r0/etc/systemd/system/multi-user.target.wants
    ln -s ../demo.service r0/etc/systemd/system/multi-user.target.wants/"

title 'r0 boots, commits itself and makes r1 from that commit, by hardlinks'
boot r0
title 'r1 boots'
boot r1
title 'r0 boots once more'
boot r0
