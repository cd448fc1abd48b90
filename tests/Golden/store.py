#!/usr/bin/env python3
"""Builds what tests/Golden/StoreGoldenTests.cs expects of a small tree in a store, from engine/FORMAT.md alone:
trees, the commit, the names of objects. Shares no code with HackTree; nothing here may change for a released format."""
import hashlib
import struct


def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def verity(data):
    assert len(data) <= 4096
    root = sha(data.ljust(4096, b"\0")) if data else b""
    return sha(struct.pack("<BBBBIQ64s32s144s", 1, 1, 12, 0, 0, len(data), root, b"", b""))


def xattrs(attributes):
    return b"".join(struct.pack("<BI", len(n), len(v)) + n + v for n, v in sorted(attributes.items()))


class Node:
    def __init__(self, kind, mode, uid, gid, time, content=b"", target=b"", device=None, attributes=None, children=None):
        self.kind, self.mode, self.uid, self.gid, self.time = kind, mode, uid, gid, time
        self.content, self.target, self.device = content, target, device
        self.attributes, self.children = xattrs(attributes or {}), children or {}

    def tree(self, times):
        return struct.pack("<I", len(self.children)) + b"".join(self.children[n].entry(n, times) for n in sorted(self.children))

    def digest(self, times):
        return sha(b"hacktree tree 1\n", self.tree(times))

    def entry(self, name, times):
        payload = {
            1: lambda: struct.pack("<q", len(self.content)) + verity(self.content),
            2: lambda: self.digest(times),
            3: lambda: struct.pack("<I", len(self.target)),
            4: lambda: struct.pack("<II", *self.device),
            6: lambda: b"",
        }[self.kind]()
        head = struct.pack("<BBHIIIq", self.kind, len(name), self.mode, self.uid, self.gid, len(self.attributes), self.time if times else 0)
        return head + payload + name + self.attributes + self.target

    def object(self, times, user):
        mode, uid, gid, attributes = self.mode, self.uid, self.gid, self.attributes
        if user:
            mode, uid, gid = mode & 0o777 | 0o400, 0, 0
            attributes = self.attributes if b"user." in self.attributes else b""
        digest = verity(self.content).hex()
        tag = ".x" + sha(b"hacktree xattrs 1\n", attributes).hex()[:16] if attributes else ""
        return f"{digest[:2]}/{digest[2:]}.{mode:04o}.{uid}.{gid}.{self.time if times else 0}{tag}"


ROOT = Node(2, 0o755, 0, 0, 1700000000, attributes={b"user.root": b"of the root"}, children={
    b"empty": Node(1, 0o000, 0, 0, 1700000000),
    b"file": Node(1, 0o644, 0, 0, 1700000000, b"hello\n"),
    b"twin": Node(1, 0o4755, 1, 4294967294, -1, b"hello\n", attributes={b"user.note": b"\x00\xff"}),
    b"\xff\n": Node(2, 0o2775, 7, 8, 7258118400, children={
        b"fifo": Node(6, 0o600, 0, 5, 86400),
        b"link": Node(3, 0o777, 3, 4, 0, target=b"../file"),
        b"null": Node(4, 0o666, 0, 0, 1700000000, device=(1, 3)),
    }),
})


def commit(times):
    return "\n".join([
        "hacktree commit 1",
        "tree " + ROOT.digest(times).hex(),
        f"root {ROOT.mode:04o} {ROOT.uid} {ROOT.gid} {ROOT.time if times else 0}",
        "root-xattrs " + ROOT.attributes.hex(),
        "time 1700000001",
        "files 6",
        "bytes 12",
        "subject a golden tree",
        "",
        "",
    ]).encode()


for times in (True, False):
    print("times kept" if times else "times zero", "commit", sha(commit(times)).hex())
    for user in (False, True):
        print("   ", "user's store" if user else "root's store")
        for name in sorted(ROOT.children[n].object(times, user) for n in (b"empty", b"file", b"twin")):
            print("       ", name)
