#!/usr/bin/env python3
"""Builds the golden packs of tests/Golden/PackGoldenTests.cs from the format's description alone (engine/FORMAT.md):
it shares no code with HackTree, not even the checksum. Nothing here may change for a released format."""
import hashlib
import struct

PRIME = 0x9E3779B185EBCA87
MASK = (1 << 64) - 1
# XXH3's default secret (xxHash, "XXH3 secret").
SECRET = bytes.fromhex("""
    b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0e578825ad07dccff7221b8084674f743248ee03590e6813a264c
    3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364ea
    c5ac8334d3ebc3c581a0fffa1363eb170ddd51b7f0da49d316552629d4689e2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e
    """)


def mix(data, at, secret):
    low, high = struct.unpack_from("<QQ", data, at)
    first, second = struct.unpack_from("<QQ", SECRET, secret)
    product = (low ^ first) * (high ^ second)
    return (product & MASK) ^ (product >> 64)


def avalanche(h):
    h ^= h >> 37
    h = h * 0x165667919E3779F9 & MASK
    return h ^ (h >> 32)


def xxh3(data):
    size = len(data)
    assert 17 <= size <= 240
    acc = size * PRIME
    if size <= 128:
        for i in range((size - 1) // 32 + 1):
            acc += mix(data, 16 * i, 32 * i) + mix(data, size - 16 * (i + 1), 32 * i + 16)
        return avalanche(acc & MASK)
    for i in range(8):
        acc += mix(data, 16 * i, 16 * i)
    acc = avalanche(acc & MASK)
    for i in range(8, size // 16):
        acc += mix(data, 16 * i, 16 * (i - 8) + 3)
    return avalanche((acc + mix(data, size - 16, 136 - 17)) & MASK)


def lz4(literals, fill, count, end):
    """A block of literals, a run of the byte before it, and literals again."""
    assert len(end) >= 5 and count >= 19
    run = count - 4 - 15
    return bytes([0xFF]) + lengths(len(literals) - 15) + literals + b"\x01\x00" + lengths(run) + bytes([len(end) << 4]) + end


def lengths(rest):
    return b"\xff" * (rest // 255) + bytes([rest % 255])


def pack(blocks, objects):
    body = b"HTPACK1\n" + bytes(8)
    table = b""
    for stored, raw_length in blocks:
        table += struct.pack("<QIIQ", len(body), len(stored), raw_length, xxh3(stored))
        body += stored
    index = b"".join(struct.pack("<32sIIIB3x", *row) for row in sorted(objects))
    footer = b"HTPKEND1" + struct.pack("<IIQQQ16x", len(blocks), len(objects), len(body), len(body) + len(table), xxh3(table + index))
    return body + table + index + footer + struct.pack("<Q", xxh3(footer))


def show(title, data):
    print(title, hashlib.sha256(data).hexdigest())
    for i in range(0, len(data), 64):
        print("   ", data[i:i + 64].hex())


def tree_digest(data):
    return hashlib.sha256(b"hacktree tree 1\n" + data).digest()


empty = struct.pack("<I", 0)
fifo = struct.pack("<I", 1) + struct.pack("<BBHIIIq", 6, 4, 0o600, 1, 2, 0, -1) + b"fifo"
# What a writer makes of these: LZ4 cannot shrink them, so the block is stored as it is.
plain = pack([(empty + fifo, len(empty + fifo))], [(tree_digest(empty), 0, 0, len(empty), 1), (tree_digest(fifo), 0, len(empty), len(fifo), 1)])
show("plain", plain)

commit = (f"hacktree commit 1\ntree {tree_digest(fifo).hex()}\nroot 0755 0 0 0\ntime 0\nfiles 0\nbytes 0\nsubject packed\n\n" + "a" * 100).encode()
literals, end = commit[:-99], commit[-5:]
packed = lz4(literals, b"a", 94, end)
compressed = pack([(packed, len(commit)), (fifo, len(fifo))],
                  [(hashlib.sha256(commit).digest(), 0, 0, len(commit), 2), (tree_digest(fifo), 1, 0, len(fifo), 1)])
show("compressed", compressed)
print("commit", hashlib.sha256(commit).hexdigest())
