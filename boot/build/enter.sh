# Runs in namespaces of its own: SCRATCH OPTIONS N, N times SRC DST, and [NAME=VALUE...] chroot ROOT COMMAND... It mounts the root of
# the build and runs the command in it. What is wrong with the build is written to the file "fault".
set -e

fail() {
    printf '%s\n' "$1" > fault
    exit 1
}

scratch=$1 options=$2 binds=$3 root=$1/merged
shift 3
cd "$scratch"
if flock -n -s . true; then
    # Its maker, which holds the directory, was killed before setpriv could make this process end with it.
    exit 1
fi

if ! mount -t overlay -o "lowerdir=lower,upperdir=upper,workdir=work,$options" hacktree-build merged; then
    case $options in
        *userxattr*) fail "an overlay in a user namespace takes Linux 5.11 and a store on ext4, XFS, btrfs or tmpfs; root can build without it" ;;
    esac
    exit 1
fi

for point in proc sys dev run tmp; do
    if [ -L "$root/$point" ] || [ ! -d "$root/$point" ]; then
        fail "/$point is no directory in the commit"
    fi
done

mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
mount -t sysfs -o ro,nosuid,nodev,noexec sysfs "$root/sys" 2> /dev/null || mount --rbind -o ro,nosuid,nodev,noexec /sys "$root/sys"
mount -t tmpfs -o nosuid,mode=755 tmpfs "$root/dev"
for device in null zero full random urandom tty; do
    : > "$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/pts" "$root/dev/shm"
# A user namespace may have no group 5.
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$root/dev/pts" 2> /dev/null ||
    mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts"
mount -t tmpfs -o nosuid,nodev,mode=1777 tmpfs "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
ln -s fd/0 "$root/dev/stdin"
ln -s fd/1 "$root/dev/stdout"
ln -s fd/2 "$root/dev/stderr"
mount -t tmpfs -o nosuid,nodev,mode=755 tmpfs "$root/run"
mount -t tmpfs -o nosuid,nodev,mode=1777 tmpfs "$root/tmp"

while [ "$binds" -gt 0 ]; do
    # A symbolic link in the commit must not lead out of the root: realpath of the whole must be what was asked for.
    target=$root/${2#/}
    if [ "$(realpath -e "$target" 2> /dev/null)" != "$(realpath "$root")/${2#/}" ]; then
        fail "$2: --bind needs a path that is in the commit and leads through no symbolic link"
    fi
    if [ -d "$target" ] && [ ! -d "$1" ]; then
        fail "$2: --bind shows a directory at a directory, and $1 is a file"
    elif [ ! -d "$target" ] && [ -d "$1" ]; then
        fail "$2: --bind shows a file at a file, and $1 is a directory"
    fi
    mount --rbind "$1" "$target"
    shift 2
    binds=$((binds - 1))
done

if [ -e script ]; then
    cp script "$root/run/hacktree-build"
    chmod 755 "$root/run/hacktree-build"
fi

: > entered
cd /
# Standard output is for the id of the commit, and this shell's own standard error for nothing more.
exec 3>&2 2> /dev/null
# This shell stays process 1, because Linux does not let process 1 end itself by a signal.
status=0
env -- "$@" >&3 2>&3 3>&- || status=$?
exit "$status"
