#!/usr/bin/env python3
"""Builds the golden bytes and digests of tests/Golden from the format's description alone (engine/FORMAT.md):
it shares no code with HackTree. Run it and compare with GoldenTests.cs; nothing here may change for a released format."""
import hashlib
import struct


def sha(*parts):
    return hashlib.sha256(b"".join(parts)).hexdigest()


def xattrs(attributes):
    return b"".join(struct.pack("<BI", len(n), len(v)) + n + v for n, v in sorted(attributes.items()))


def entry(kind, name, mode, uid, gid, time, payload=b"", attributes=b"", target=b""):
    return struct.pack("<BBHIIIq", kind, len(name), mode, uid, gid, len(attributes), time) + payload + name + attributes + target


def content(size):
    period = bytes(((i * 2654435761 & 0xFFFFFFFF) >> 24) for i in range(65521))
    return (period * (size // len(period) + 1))[:size]


def verity(data):
    blocks = [data[i:i + 4096] for i in range(0, len(data), 4096)]
    hashes = [hashlib.sha256(b.ljust(4096, b"\0")).digest() for b in blocks]
    while len(hashes) > 1:
        hashes = [hashlib.sha256(b"".join(hashes[i:i + 128]).ljust(4096, b"\0")).digest() for i in range(0, len(hashes), 128)]
    return descriptor(len(data), hashes[0] if hashes else b"")


def verity_of_zeros(size):
    """The same for a file of zeros of any size: in each level all hashes but perhaps the last are the same."""
    count = -(-size // 4096)
    inner = last = hashlib.sha256(bytes(4096)).digest()
    while count > 1:
        tail = (count - 1) % 128
        last = hashlib.sha256((inner * tail + last).ljust(4096, b"\0")).digest()
        inner = hashlib.sha256(inner * 128).digest()
        count = -(-count // 128)
    return descriptor(size, last)


def descriptor(size, root):
    return sha(struct.pack("<BBBBIQ64s32s144s", 1, 1, 12, 0, 0, size, root, b"", b""))


XATTRS = xattrs({b"user.note": b"\x00\xff", b"security.capability": bytes(range(4)), b"user.empty": b""})
TARGET = b"../\xfe\ntgt"
TREE = [
    entry(4, b"chr", 0o620, 0, 5, 0, struct.pack("<II", 4, 64)),
    entry(2, b"dir", 0o1777, 0, 0, -1, bytes.fromhex(sha(b"a tree"))),
    entry(6, b"fifo", 0o600, 1000, 4294967294, 1),
    entry(3, b"link", 0o777, 1, 2, 2**62, struct.pack("<I", len(TARGET)), b"", TARGET),
    entry(1, b"regular", 0o4755, 1000, 1000, 1700000000, struct.pack("<Q", 2**40 + 5) + bytes.fromhex(sha(b"a blob")), XATTRS),
    entry(5, b"\xff\n", 0o660, 0, 6, -2**63, struct.pack("<II", 259, 1048575)),
]
TREE = struct.pack("<I", len(TREE)) + b"".join(TREE)
COMMIT = "\n".join([
    "hacktree commit 1",
    "tree " + sha(b"hacktree tree 1\n", TREE),
    "root 0755 0 4294967294 -1",
    "root-xattrs " + XATTRS.hex(),
    "parent " + sha(b"first parent"),
    "parent " + sha(b"another"),
    "time 1700000000",
    "files 5",
    "bytes 1099511627781",
    "subject Grüße",
    "meta Arch=amd64",
    "meta build.id=a=b",
    "meta empty=",
    "",
    "A body\n\nof lines \U0001f600",
]).encode()

print("xattrs", XATTRS.hex(), sha(b"hacktree xattrs 1\n", XATTRS), sep="\n")
print("tree", TREE.hex(), sha(b"hacktree tree 1\n", TREE), sep="\n")
print("empty tree", bytes(4).hex(), sha(b"hacktree tree 1\n", bytes(4)), sep="\n")
print("commit", COMMIT.decode(), sha(COMMIT), sep="\n")
for size in [0, 1, 4095, 4096, 4097, 524287, 524288, 524289, 528384, 528385, 1048577, 67108863, 67108864, 67108865]:
    print("verity", size, verity(content(size)))
for size in [2**26, 2**26 + 1, 2**33, 2**33 + 1, 2**33 + 2**19, 2**40 + 4097]:
    print("verity of zeros", size, verity_of_zeros(size))
assert verity_of_zeros(2**20 + 1) == verity(bytes(2**20 + 1))
