#!/bin/sh
# dracut's pre-pivot hook. The physical root is mounted at $NEWROOT. What is mounted there when the hook ends becomes the root.

. /hacktree/subroot.sh
. /hacktree/image.sh
. /hacktree/trial.sh
if [ -n "$(subroot_argument subroot)" ]; then
    subroot_enter "$NEWROOT" "$(subroot_argument init || echo /sbin/init)" \
        || die "hacktree: no root could be entered; boot with another subroot=, or without it to start the physical root"
fi
