#!/bin/bash
# dracut's module for roots that hacktree made. dracut includes it if it is installed; `dracut --add hacktree` demands it.

check() {
    return 0
}

depends() {
    return 0
}

install() {
    inst_multiple cat ln mkdir mount readlink
    inst_simple "$moddir/subroot.sh" /hacktree/subroot.sh
    inst_simple "$moddir/image.sh" /hacktree/image.sh
    inst_simple "$moddir/trial.sh" /hacktree/trial.sh
    inst_simple "$moddir/bind-ro" /hacktree/bind-ro
    inst_simple "$moddir/mount-image" /hacktree/mount-image
    inst_hook pre-pivot 50 "$moddir/enter.sh"
}
