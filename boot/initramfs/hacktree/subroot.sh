# hacktree: enters the root /rN of the physical filesystem instead of the physical filesystem itself.	-*- shell-script -*-
#
# scripts/subroot of initramfs-tools and dracut's hook source this file, image.sh and trial.sh. The kernel command line says:
#   subroot=rN            the root, below the top of the physical filesystem; subroot=/some/path works too
#   subroot.fallback=rM   the root to boot if that one cannot be booted; without it, the newest root that can
#   subroot.trial         the root is on trial; subroot.deadline=SECONDS is how long it may take to say that it is good
#   subroot.verity        of a root that is an image, all content must be what the image says, which the kernel compares (fs-verity)
#   subroot.rw            a writable root: only for a root made with --copy or --reflink, or with subroot.rw=force
#
# The files of a hardlinked root are also the store's objects and the files of other roots, so nothing may be written into
# them. / becomes read-only, and what must be writable is mounted over it. The physical root is visible at /sysroot.
#
# The script needs only klibc's programs sh, cat, ln, mkdir, true, mount and readlink, and bind-ro and mount-image, which come with it.

# The place of the physical root until the root has /sysroot.
subroot_keep=/hacktree/physical

# PRIORITY TEXT: prints a message on the console and in the journal, but never on standard output, where functions return
# their answers. Priority 3 is an error, which is shown in spite of "quiet"; 6 is information.
subroot_say()
{
	echo "<$1>hacktree: $2" > /dev/kmsg 2> /dev/null || echo "hacktree: $2" >&2
}

# NAME: prints the value of NAME= on the command line; fails if there is none. The last one counts, as for root= and init=.
subroot_argument()
{
	subroot_answer=
	subroot_missing=1
	for subroot_word in $(cat /proc/cmdline); do
		case $subroot_word in
		"$1"=*) subroot_answer=${subroot_word#*=}; subroot_missing=0 ;;
		"$1") subroot_answer=; subroot_missing=0 ;;
		esac
	done
	[ $subroot_missing = 1 ] || echo "$subroot_answer"
	return $subroot_missing
}

# FILE KEY: prints the value of a property of a root record (FORMAT.md, section 9).
subroot_property()
{
	while read -r subroot_line; do
		case $subroot_line in
		"\"$2\": "*)
			subroot_value=${subroot_line#*: }
			subroot_value=${subroot_value%,}
			subroot_value=${subroot_value#\"}
			echo "${subroot_value%\"}"
			return 0
			;;
		esac
	done < "$1"
	return 1
}

# PHYSICAL ROOT: prints the path of the root's record; fails if the root has none.
subroot_record()
{
	for subroot_file in "$1"/objects/roots/*.json; do
		case $subroot_file in
		*.partial.json) continue ;;
		esac
		if [ -f "$subroot_file" ] && [ "$(subroot_property "$subroot_file" path)" = "$2" ]; then
			echo "$subroot_file"
			return 0
		fi
	done
	return 1
}

# DIRECTORY PATH: prints where PATH leads if DIRECTORY is the root: symbolic links on the way are followed within DIRECTORY, those
# of directories too. Fails if there are too many.
subroot_resolve()
{
	subroot_path=
	subroot_left=$2
	subroot_links=0
	while [ -n "$subroot_left" ]; do
		subroot_part=${subroot_left%%/*}
		subroot_left=${subroot_left#"$subroot_part"}
		subroot_left=${subroot_left#/}
		case $subroot_part in
		"" | .) continue ;;
		..) subroot_path=${subroot_path%/*}; continue ;;
		esac
		if [ -L "$1$subroot_path/$subroot_part" ]; then
			subroot_links=$((subroot_links + 1))
			[ $subroot_links -le 40 ] || return 1
			subroot_target=$(readlink "$1$subroot_path/$subroot_part")
			case $subroot_target in
			/*) subroot_path= ;;
			esac
			subroot_left=$subroot_target/$subroot_left
		else
			subroot_path=$subroot_path/$subroot_part
		fi
	done
	echo "$subroot_path"
}

# DIRECTORY INIT: whether INIT is a program in the root at DIRECTORY.
subroot_has_init()
{
	subroot_program=$(subroot_resolve "$1" "$2") && [ -f "$1$subroot_program" ] && [ -x "$1$subroot_program" ]
}

# PHYSICAL ROOT INIT: prints why the root cannot be booted; prints nothing if it can.
subroot_fault()
{
	case /$2/ in
	*/../* | */./* | *//*) echo "'$2' is not the name of a root" ; return ;;
	esac
	if [ -L "$1/$2" ]; then
		echo "/$2 is a symbolic link, not a root"
	elif [ ! -d "$1/$2" ]; then
		subroot_partial="${2%"${2##*/}"}.${2##*/}.partial"
		if [ -d "$1/$subroot_partial" ]; then
			echo "/$2 is not whole: its checkout was interrupted"
		else
			echo "there is no /$2"
		fi
	else
		subroot_obstacle=$(image_mount "$1" "$2")
		if [ -n "$subroot_obstacle" ]; then
			echo "$subroot_obstacle"
		elif ! subroot_has_init "$(image_tree "$1" "$2")" "$3"; then
			echo "/$2 has no $3"
		fi
	fi
}

# PHYSICAL INIT: prints the newest root that can be booted, by the times in the records; fails if there is none.
subroot_newest()
{
	subroot_best=
	subroot_best_time=-1
	for subroot_file in "$1"/objects/roots/*.json; do
		case $subroot_file in
		*.partial.json) continue ;;
		esac
		[ -f "$subroot_file" ] || continue
		subroot_name=$(subroot_property "$subroot_file" path)
		subroot_time=$(subroot_property "$subroot_file" time)
		case $subroot_name in
		"" | /*) continue ;;
		esac
		if [ "${subroot_time:-0}" -gt "$subroot_best_time" ] && [ -z "$(subroot_fault "$1" "$subroot_name" "$2")" ]; then
			subroot_best=$subroot_name
			subroot_best_time=$subroot_time
		fi
	done
	echo "$subroot_best"
	[ -n "$subroot_best" ]
}

# PHYSICAL INIT: prints the root to boot. If it is not the one on the command line, the console says so.
subroot_choose()
{
	subroot_wanted=$(subroot_argument subroot)
	subroot_wanted=${subroot_wanted#/}
	subroot_why=$(subroot_fault "$1" "$subroot_wanted" "$2")
	if [ -z "$subroot_why" ]; then
		echo "$subroot_wanted"
		return 0
	fi
	if subroot_other=$(subroot_argument subroot.fallback); then
		subroot_other=${subroot_other#/}
		subroot_second=$(subroot_fault "$1" "$subroot_other" "$2")
		if [ -n "$subroot_second" ]; then
			subroot_why="$subroot_why, and of the fallback: $subroot_second"
			subroot_other=
		fi
	fi
	if [ -z "$subroot_other" ] && ! subroot_other=$(subroot_newest "$1" "$2"); then
		subroot_say 3 "subroot=$subroot_wanted cannot be booted: $subroot_why; and no other root can be"
		return 1
	fi
	subroot_say 3 "subroot=$subroot_wanted cannot be booted: $subroot_why; booting $subroot_other instead"
	echo "$subroot_other"
}

# ROOT RECORD: whether all files belong to the root alone: in a copy, and in a system that `image convert` made a root.
subroot_owns_files()
{
	case $(subroot_property "${2:-/dev/null}" method) in
	Copy | Reflink) return 0 ;;
	esac
	subroot_conversion=$subroot_keep/hacktree-convert.json
	[ -z "$2" ] && [ -f "$subroot_conversion" ] && [ "$(subroot_property "$subroot_conversion" root)" = "$1" ]
}

# ROOT RECORD: whether the root may be written to, as subroot.rw demands.
subroot_is_writable()
{
	subroot_rw=$(subroot_argument subroot.rw) || return 1
	! subroot_owns_files "$1" "$2" || return 0
	if [ -f "$subroot_keep/$1/hacktree.erofs" ]; then
		subroot_say 3 "subroot.rw is refused: /$1 is an image, which nothing can write to"
		return 1
	fi
	if [ "$subroot_rw" = force ]; then
		subroot_say 3 "subroot.rw=force: what is written into a file of /$1 is written into the store and other roots"
		return 0
	fi
	subroot_say 3 "subroot.rw is refused: files of /$1 are hardlinks into the store; make the root with --copy, or say subroot.rw=force"
	return 1
}

# ROOT RECORD: whether the files below /etc belong to the root alone.
subroot_owns_etc()
{
	[ "$(subroot_property "${2:-/dev/null}" boot)" = true ] || subroot_owns_files "$1" "$2"
}

# SOURCE DIRECTORY: mounts SOURCE at DIRECTORY too. A missing DIRECTORY is made.
subroot_bind()
{
	[ -d "$2" ] || mkdir -p "$2"
	mount -o bind "$1" "$2"
}

# NEWROOT DIRECTORY: whether the root's fstab mounts something at DIRECTORY when the system starts.
subroot_has_line()
{
	[ -f "$1/etc/fstab" ] || return 1
	while read -r subroot_source subroot_point subroot_type subroot_options subroot_rest || [ -n "$subroot_source" ]; do
		case $subroot_source in
		"#"*) continue ;;
		esac
		while [ "$subroot_point" != "${subroot_point%/}" ]; do
			subroot_point=${subroot_point%/}
		done
		[ "$subroot_point" = "$2" ] || continue
		case ,$subroot_options, in
		*,x-systemd.automount,* | *,comment=systemd.automount,*) return 0 ;;
		*,noauto,*) ;;
		*) return 0 ;;
		esac
	done < "$1/etc/fstab"
	return 1
}

# NEWROOT DIRECTORY: whether systemd has an enabled unit in the root that mounts something at DIRECTORY.
subroot_has_unit()
{
	subroot_unit=${2#/}
	while [ "$subroot_unit" != "${subroot_unit#*/}" ]; do
		subroot_unit=${subroot_unit%%/*}-${subroot_unit#*/}
	done
	for subroot_kind in mount automount; do
		[ "$(readlink "$1/etc/systemd/system/$subroot_unit.$subroot_kind" 2> /dev/null)" != /dev/null ] || continue
		for subroot_file in "$1"/etc/systemd/system/*.wants/ "$1"/etc/systemd/system/*.requires/ \
			"$1"/usr/lib/systemd/system/*.wants/ "$1"/usr/lib/systemd/system/*.requires/; do
			subroot_file=$subroot_file$subroot_unit.$subroot_kind
			if [ -L "$subroot_file" ] || [ -f "$subroot_file" ]; then
				return 0
			fi
		done
	done
	return 1
}

# NEWROOT DIRECTORY: whether the root's own system mounts something at DIRECTORY, such as /home from a partition of its own. Then
# nothing may be mounted there before: systemd would take it for the mount that it wants, and the partition would stay hidden.
subroot_leaves()
{
	if subroot_has_line "$1" "$2"; then
		subroot_say 6 "$2 is left to /etc/fstab"
	elif subroot_has_unit "$1" "$2"; then
		subroot_say 6 "$2 is left to the unit $subroot_unit.$subroot_kind"
	else
		return 1
	fi
	[ -d "$1$2" ] || mkdir -p "$1$2"
}

# NEWROOT ROOT TREE OPTIONS: mounts the root's package database, unless the root's own system mounts what is above it. Then a unit
# of systemd mounts the database after that.
subroot_database()
{
	[ -d "$3/var/lib/dpkg" ] || return 0
	! subroot_leaves "$1" /var/lib/dpkg || return 0
	if ! subroot_has_line "$1" /var && ! subroot_has_unit "$1" /var && ! subroot_has_line "$1" /var/lib && ! subroot_has_unit "$1" /var/lib; then
		subroot_bind "$3/var/lib/dpkg" "$1/var/lib/dpkg"
		[ "$4" != bind,ro ] || /hacktree/bind-ro "$1/var/lib/dpkg"
		return
	fi
	subroot_source=$3
	[ "$3" != "$subroot_keep/$2" ] || subroot_source=/sysroot/$2
	mkdir -p /run/systemd/system/local-fs.target.wants
	cat > /run/systemd/system/var-lib-dpkg.mount <<-EOF
		[Unit]
		Description=the package database of /$2
		[Mount]
		What=$subroot_source/var/lib/dpkg
		Where=/var/lib/dpkg
		Type=none
		Options=$4
	EOF
	ln -s ../var-lib-dpkg.mount /run/systemd/system/local-fs.target.wants/var-lib-dpkg.mount
}

# NEWROOT: mounts /var, /home and /boot of the physical root, those that the root's own system does not mount.
# checkout/roots/MountPoints.cs lists what is mounted where; a test compares this script with it.
subroot_share()
{
	if [ ! -d "$subroot_keep/var" ]; then
		mkdir -p "$subroot_keep/var/lib" "$subroot_keep/var/cache" "$subroot_keep/var/log" "$subroot_keep/var/spool"
		mkdir -m 1777 "$subroot_keep/var/tmp"
		ln -s /run "$subroot_keep/var/run"
		ln -s /run/lock "$subroot_keep/var/lock"
	fi
	[ -d "$subroot_keep/home" ] || mkdir "$subroot_keep/home"
	for subroot_shared in var home boot; do
		if ! subroot_leaves "$1" "/$subroot_shared" && [ -d "$subroot_keep/$subroot_shared" ]; then
			subroot_bind "$subroot_keep/$subroot_shared" "$1/$subroot_shared"
		fi
	done
}

# NEWROOT ROOT TREE RECORD: makes / read-only, and mounts what must be writable over it.
subroot_protect()
{
	if [ "$3" != "$subroot_keep/$2" ]; then
		# Its /etc is mounted already.
		:
	elif subroot_owns_etc "$2" "$4"; then
		subroot_bind "$subroot_keep/$2/etc" "$1/etc"
	else
		subroot_say 3 "/etc is read-only: its files are hardlinks into the store; a root made with checkout --boot has its own"
	fi
	# "true" and not ":", because dash ends when a redirection of ":" fails.
	[ -e "$1/etc/machine-id" ] || true > "$1/etc/machine-id" || subroot_say 3 "there is no /etc/machine-id"
	if ! subroot_leaves "$1" /root; then
		[ -d "$subroot_keep/var/roothome" ] || mkdir -m 700 "$subroot_keep/var/roothome"
		subroot_bind "$subroot_keep/var/roothome" "$1/root"
	fi
	if ! subroot_leaves "$1" /tmp; then
		[ -d "$1/tmp" ] || mkdir "$1/tmp"
		mount -t tmpfs -o nosuid,nodev,mode=1777 tmpfs "$1/tmp"
	fi
	subroot_database "$1" "$2" "$3" bind,ro
	/hacktree/bind-ro "$1"
}

# Masks units of systemd for a line for / in the root's fstab. That line means the physical root, which is mounted and checked
# already; systemd would make / writable, or check a filesystem that is in use.
subroot_mask()
{
	mkdir -p /run/systemd/system
	for subroot_unit in systemd-remount-fs.service systemd-fsck-root.service; do
		ln -s /dev/null "/run/systemd/system/$subroot_unit"
	done
}

# NEWROOT INIT: makes the root that subroot= names the new root. NEWROOT is the mount point of the physical filesystem.
subroot_enter()
{
	subroot_root=$(subroot_choose "$1" "$2") || return 1
	mkdir -p "$subroot_keep"
	# In dracut's initramfs, systemd shares all mounts, and a shared mount cannot be moved. Then the physical root is mounted a
	# second time, privately, so that the root mounted over NEWROOT does not appear there.
	if ! mount -o move "$1" "$subroot_keep" 2> /dev/null; then
		mount -o bind "$1" "$subroot_keep" && mount --make-private "$subroot_keep" || return 1
	fi
	mount -o remount,rw none "$subroot_keep" || subroot_say 3 "the physical root stays read-only"
	trial_missed "$subroot_root" "$2"
	subroot_top=$(image_tree "$subroot_keep" "$subroot_root")
	mount -o bind "$subroot_top" "$1" || return 1
	# An image has the commit's /etc. What is left to fstab is told by the root's own.
	[ "$subroot_top" = "$subroot_keep/$subroot_root" ] || subroot_bind "$subroot_keep/$subroot_root/etc" "$1/etc" || return 1
	for subroot_point in dev proc sys run sysroot; do
		[ -d "$1/$subroot_point" ] || mkdir "$1/$subroot_point"
	done
	subroot_found=$(subroot_record "$subroot_keep" "$subroot_root")
	subroot_share "$1"
	if subroot_is_writable "$subroot_root" "$subroot_found"; then
		subroot_database "$1" "$subroot_root" "$subroot_top" bind
		subroot_say 6 "/$subroot_root is the root, writable"
	elif subroot_protect "$1" "$subroot_root" "$subroot_top" "$subroot_found"; then
		subroot_say 6 "/$subroot_root is the root, read-only"
	else
		subroot_say 3 "/$subroot_root could not be made read-only"
		return 1
	fi
	subroot_mask
	trial_watch "$subroot_root"
	mount -o move "$subroot_keep" "$1/sysroot" 2> /dev/null || mount -o bind "$subroot_keep" "$1/sysroot"
}
