using HackTree.Tests.Support;

namespace HackTree.Tests.Checkout;

/// <summary>
/// Python scripts that make trees and archives without HackTree's code, and print them in the lines of <see cref="TarItem.Line"/>. Python can
/// handle names as bytes, and its tarfile is another implementation of the format.
/// </summary>
internal static class TarPython
{
    /// <summary>Makes an awkward tree. Arguments: the directory, then what the archive format can hold: long, dev, xattr.</summary>
    public const string MakeTree = """
        import os, stat, struct, subprocess, sys
        top = os.fsencode(sys.argv[1]); can = set(sys.argv[2:]); root = os.geteuid() == 0
        os.mkdir(top); os.chdir(top)
        def file(path, size, seed=1, mode=0o644):
            with open(path, 'wb') as f: f.write(bytes((i * seed * 31 >> 3) & 255 for i in range(size)))
            os.chmod(path, mode)
        for size in (0, 1, 511, 512, 513, 100000): file(b'size-%d' % size, size, size + 1)
        for mode in (0 if root else 0o400, 0o777, 0o4755, 0o2755, 0o1777): file(b'mode-%o' % mode, 3, 1, mode)
        os.mkdir(b'dir'); os.mkdir(b'dir/empty'); os.mkdir(b'dir/sticky'); os.chmod(b'dir/sticky', 0o1777)
        for name in (b'new\nline', b'latin-\xe4', b'\xff\xfe', 'ünïcode-Ω'.encode(), b' blank ', b'-dash', b'back\\slash', b'=', b'tab\t', b'\x01\x7f'):
            file(b'dir/' + name, 5, 7)
        os.symlink(b'nowhere', b'link'); os.symlink(b'/abs/\xff\n', b'dir/link2'); os.symlink(b't' * 100, b'link100')
        os.link(b'size-513', b'dir/hard'); os.link(b'dir/latin-\xe4', b'zhard')
        os.mkfifo(b'fifo') if 'dev' in can else None
        if root:
            os.chown(b'size-1', 1000, 2000); os.chown(b'link', 7, 8, follow_symlinks=False); os.chown(b'size-512', 2097151, 65534)
        if 'dev' in can and root:
            for name, kind, dev in ((b'null', stat.S_IFCHR, (1, 3)), (b'whiteout', stat.S_IFCHR, (0, 0)), (b'disk', stat.S_IFBLK, (259, 1048575))):
                os.mknod(name, kind | 0o640, os.makedev(*dev))
        os.mkdir(b'p' * 90); file(b'p' * 90 + b'/' + b'n' * (99 if 'dev' in can else 5), 9)
        if 'long' in can:
            file(b'n' * 255, 4); file(b'\xff' * 255, 4); file(b'm' * 100, 4); file(b'm' * 101, 4); os.mkdir(b'd' * 99); os.mkdir(b'e' * 100)
            os.symlink(b's' * 4000, b'link4000'); os.symlink(b'\xe4' * 101, b'link101'); os.link(b'n' * 255, b'zzz-hard')
            here = os.open(b'.', os.O_RDONLY)
            for i in range(12): os.mkdir(b'%x' % i * 200); os.chdir(b'%x' % i * 200)
            file(b'deep', 8); os.utime(b'deep', (5, 5)); os.fchdir(here); os.close(here)
            if root: os.chown(b'size-0', 2097152, 4294967294)
        if 'xattr' in can:
            os.setxattr(b'size-0', b'user.binary', bytes(range(256))); os.setxattr(b'size-0', b'user.empty', b''); os.setxattr(b'size-0', b'user.a=b%25%3D', b'=\n\0')
            os.setxattr(b'size-0', 'user.ümlaut'.encode(), b'9 x=y\n'); os.setxattr(b'dir', b'user.big', b'\x80\n' * 1000)
            acl = struct.pack('<I' + 'HHI' * 6, 2, 1, 6, 2**32-1, 2, 4, 12345, 4, 4, 2**32-1, 8, 7, 4294967294, 16, 4, 2**32-1, 32, 0, 2**32-1)
            os.setxattr(b'size-511', b'system.posix_acl_access', acl); os.setxattr(b'dir/empty', b'system.posix_acl_default', acl)
            os.setxattr(b'dir/sticky', b'system.posix_acl_default', struct.pack('<I' + 'HHI' * 3, 2, 1, 7, 2**32-1, 4, 5, 2**32-1, 32, 5, 2**32-1))
            if root:
                os.setxattr(b'size-1', b'security.capability', bytes.fromhex('0100000200200000000000000000000000000000'))
                os.setxattr(b'link', b'trusted.on-link', b'\xff', follow_symlinks=False); os.setxattr(b'null', b'trusted.on-device', b'\0')
        times = [0, 1, 1700000000, 8589934591] + ([-1, -1000000, 8589934592, 15000000000] if 'long' in can else [])
        paths = sorted(os.path.join(d, n) for d, ds, fs in os.walk(b'.') for n in ds + fs)
        for i, path in reversed(list(enumerate(paths))):
            try: os.utime(path, ns=(0, times[i % len(times)] * 10**9 + (500000000 if i % 3 == 0 else 0)), follow_symlinks=False)
            except OSError as e: print(e, file=sys.stderr)
        os.utime(b'.', (1234567890, 1234567890))
        """;

    /// <summary>Prints the lines of a tree on disk. Arguments: the directory, then xattr to include attributes.</summary>
    public const string Lines = """
        import hashlib, os, stat, sys
        top = os.fsencode(sys.argv[1]); os.chdir(top)
        kinds = {stat.S_IFREG: 'Regular', stat.S_IFDIR: 'Directory', stat.S_IFLNK: 'Symlink', stat.S_IFCHR: 'CharacterDevice', stat.S_IFBLK: 'BlockDevice', stat.S_IFIFO: 'Fifo'}
        def line(names, name):
            s = os.lstat(name); kind = kinds[stat.S_IFMT(s.st_mode)]; special = ''; xattrs = ''
            if kind == 'Regular': data = open(name, 'rb').read(); special = '%d %s' % (len(data), hashlib.sha256(data).hexdigest())
            elif kind == 'Symlink': special = os.readlink(name).hex()
            elif kind.endswith('Device'): special = '%d:%d' % (os.major(s.st_rdev), os.minor(s.st_rdev))
            if len(sys.argv) > 2:
                keys = sorted(os.fsencode(k) for k in os.listxattr(name, follow_symlinks=False))
                xattrs = ','.join(k.hex() + '=' + os.getxattr(name, k, follow_symlinks=False).hex() for k in keys)
            print('/' + '/'.join(n.hex() for n in names), kind, '%o' % stat.S_IMODE(s.st_mode), '%d:%d' % (s.st_uid, s.st_gid), s.st_mtime_ns // 10**9, '[%s]' % special, xattrs)
            if kind == 'Directory':
                here = os.open(b'.', os.O_RDONLY); os.chdir(name)
                for n in os.listdir(b'.'): line(names + [n], n)
                os.fchdir(here); os.close(here)
        line([], b'.')
        """;

    /// <summary>Prints the lines of an archive as tarfile reads it. Argument: the archive. Prints access control lists as text.</summary>
    public const string ArchiveLines = """
        import hashlib, sys, tarfile
        kinds = {b'0': 'Regular', b'5': 'Directory', b'2': 'Symlink', b'3': 'CharacterDevice', b'4': 'BlockDevice', b'6': 'Fifo'}
        raw = lambda s: s.encode('utf-8', 'surrogateescape')
        with tarfile.open(sys.argv[1], encoding='utf-8', errors='surrogateescape') as archive:
            for m in archive:
                kind = kinds[m.type]; special = ''
                if kind == 'Regular': data = archive.extractfile(m).read(); special = '%d %s' % (len(data), hashlib.sha256(data).hexdigest())
                elif kind == 'Symlink': special = raw(m.linkname).hex()
                elif kind.endswith('Device'): special = '%d:%d' % (m.devmajor, m.devminor)
                pre = 'SCHILY.xattr.'
                x = sorted((raw(k[len(pre):]).replace(b'%3D', b'=').replace(b'%25', b'%'), raw(v)) for k, v in m.pax_headers.items() if k.startswith(pre))
                names = [n for n in raw(m.name).split(b'/') if n not in (b'', b'.')]
                print('/' + '/'.join(n.hex() for n in names), kind, '%o' % m.mode, '%d:%d' % (m.uid, m.gid), int(m.mtime), '[%s]' % special, ','.join(k.hex() + '=' + v.hex() for k, v in x))
        """;

    /// <summary>Runs a script and returns its output.</summary>
    public static string Run(string script, params IEnumerable<string> arguments)
    {
        Tools.Require("python3");
        return Tools.Run("python3", ["-c", script, .. arguments]).Succeeded();
    }

    /// <summary>Runs a script that prints lines, and sorts them.</summary>
    public static string[] RunLines(string script, params IEnumerable<string> arguments) =>
        [.. Run(script, arguments).Split('\n', StringSplitOptions.RemoveEmptyEntries).Order(StringComparer.Ordinal)];
}
