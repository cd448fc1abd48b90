# hacktree: roots that are images (checkout/composefs/RootImage.cs).	-*- shell-script -*-
#
# subroot.sh calls these functions.

# Where the images are mounted: at the names of their roots, below. /run stays when the system starts.
image_place=/run/hacktree/roots

# PHYSICAL ROOT: prints the directory that has the root's tree: its own, or where its image is mounted.
image_tree()
{
	if [ -f "$1/$2/hacktree.erofs" ]; then
		echo "$image_place/$2"
	else
		echo "$1/$2"
	fi
}

# PHYSICAL ROOT: mounts the root's image if the root is one and it is not mounted yet. Prints why it cannot be mounted; prints nothing if all is well.
image_mount()
{
	[ -f "$1/$2/hacktree.erofs" ] && [ ! -d "$image_place/$2/etc" ] || return 0
	mkdir -p "$image_place/$2"
	image_verity=-
	! subroot_argument subroot.verity > /dev/null || image_verity=verity
	read -r image_kernel < /proc/sys/kernel/osrelease
	/hacktree/mount-image "$1/$2/hacktree.erofs" "$1/objects/files" "$image_place/$2" "hacktree:/$2" $image_verity \
		"$1/$2/usr/lib/modules/$image_kernel/hacktree"/*.ko || echo "the image of /$2 cannot be mounted (error $?)"
}
