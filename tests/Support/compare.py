#!/usr/bin/env python3
"""Usage: compare.py TREE            lists a tree, a line for each entry
       compare.py [OPTION...] A B   says where two trees differ; exit code 1 if they do

  --without FIELD    leaves a field out: type mode uid gid mtime size content target rdev xattrs. Again for more
  --no-sockets       a socket in A has nothing to match it in B
  --holes            no file of B may take more space than the one in A, but for some blocks

Shares no code with HackTree. Walks by descriptors, so that no path is too long, and handles names as bytes."""
import argparse
import hashlib
import os
import resource
import stat
import sys

TYPES = {stat.S_IFREG: "file", stat.S_IFDIR: "dir", stat.S_IFLNK: "link", stat.S_IFCHR: "char", stat.S_IFBLK: "block", stat.S_IFIFO: "fifo", stat.S_IFSOCK: "socket"}
PIECE = 1 << 16
LARGE = 1 << 26
SLACK = 1 << 17  # bytes in which two filesystems' blocks may differ for one file
SHOWN = 30


def entries(path):
    """Each entry below a directory, itself included, as (path, fields); a directory before what is in it."""
    top = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    yield b"", fields(top, None, os.fstat(top))
    levels = [(top, b"", sorted(map(os.fsencode, os.listdir(top)), reverse=True))]
    while levels:
        directory, prefix, names = levels[-1]
        if not names:
            os.close(directory)
            levels.pop()
            continue
        name = names.pop()
        status = os.stat(name, dir_fd=directory, follow_symlinks=False)
        path = prefix + b"/" + name if prefix else name
        yield path, fields(directory, name, status)
        if stat.S_ISDIR(status.st_mode):
            below = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=directory)
            levels.append((below, path, sorted(map(os.fsencode, os.listdir(below)), reverse=True)))


def fields(directory, name, status):
    kind = TYPES[stat.S_IFMT(status.st_mode)]
    found = {"type": kind, "uid": status.st_uid, "gid": status.st_gid, "mtime": status.st_mtime_ns // 10**9}
    if kind != "link":
        found["mode"] = f"{stat.S_IMODE(status.st_mode):04o}"
    if kind == "file":
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=directory)
        found["size"] = status.st_size
        found["content"] = content(file, status.st_size)
        found["xattrs"] = xattrs(file)
        found["allocated"] = status.st_blocks * 512
        os.close(file)
        return found
    if kind == "link":
        found["target"] = text(os.readlink(name, dir_fd=directory))
    if kind in ("char", "block"):
        found["rdev"] = f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"
    found["xattrs"] = xattrs(directory) if name is None else xattrs(b"/proc/self/fd/%d/%s" % (directory, name))
    return found


def xattrs(file):
    follow = {} if isinstance(file, int) else {"follow_symlinks": False}
    try:
        names = os.listxattr(file, **follow)
    except OSError as error:
        if error.errno == 95:  # EOPNOTSUPP: a filesystem without them
            return ""
        raise
    # XFS shows root each ACL a second time by such a name; another filesystem does not.
    names = [name for name in names if not name.startswith("trusted.SGI_ACL_")]
    return ",".join(sorted(f"{text(os.fsencode(name))}={os.getxattr(file, name, **follow).hex()}" for name in names))


def content(file, size):
    """SHA-256 of the content; of a large file, that of its pieces that are not all zeros, with their places."""
    digest = hashlib.sha256()
    if size < LARGE:
        while piece := os.read(file, 1 << 20):
            digest.update(piece)
        return digest.hexdigest()
    offset = 0
    while offset < size:
        try:
            offset = max(offset, os.lseek(file, offset, os.SEEK_DATA) // PIECE * PIECE)
        except OSError:  # ENXIO: nothing but a hole up to the end
            break
        piece = os.pread(file, PIECE, offset)
        if piece.count(0) != len(piece):
            digest.update(b"%d %d " % (offset, len(piece)) + piece)
        offset += PIECE
    return "pieces-" + digest.hexdigest()


def text(name):
    return name.decode("latin-1").encode("unicode_escape").decode()


def line(path, found):
    return " ".join([text(path) or "."] + [f"{field}={value}" for field, value in sorted(found.items()) if value != ""])


def differences(options):
    first, second = dict(entries(options.tree)), dict(entries(options.other))
    for path in sorted(first.keys() | second.keys()):
        a, b = first.get(path), second.get(path)
        if a is None or b is None:
            if not (options.no_sockets and b is None and a["type"] == "socket"):
                yield f"{text(path)}: only in {options.tree if b is None else options.other}"
            continue
        for field in sorted((a.keys() | b.keys()) - {"allocated"} - set(options.without)):
            if a.get(field) != b.get(field):
                yield f"{text(path)}: {field} {a.get(field)} and {b.get(field)}"
        if options.holes and b.get("allocated", 0) > a.get("allocated", 0) + SLACK:
            yield f"{text(path)}: allocated {a['allocated']} and {b['allocated']}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--without", action="append", default=[])
    parser.add_argument("--no-sockets", action="store_true")
    parser.add_argument("--holes", action="store_true")
    parser.add_argument("tree")
    parser.add_argument("other", nargs="?")
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if options.other is None:
        for path, found in entries(options.tree):
            print(line(path, found))
        return 0
    found = list(differences(options))
    for difference in found[:SHOWN]:
        print(difference)
    if len(found) > SHOWN:
        print(f"... and {len(found) - SHOWN} more")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
