using HackTree.Tests.Cli;
using HackTree.Tests.Support;

namespace HackTree.Tests.Transfer;

/// <summary>Makes container images by a script that shares no code with HackTree, in the layout <c>img</c> of a world.</summary>
internal static class ImageMaker
{
    private const string Script = """
        import gzip, hashlib, io, json, os, subprocess, sys, tarfile
        def blob(data):
            os.makedirs('img/blobs/sha256', exist_ok=True)
            name = hashlib.sha256(data).hexdigest()
            open('img/blobs/sha256/' + name, 'wb').write(data)
            return {'digest': 'sha256:' + name, 'size': len(data)}
        def tar(*entries):
            out = io.BytesIO()
            with tarfile.open(fileobj=out, mode='w', format=tarfile.PAX_FORMAT) as t:
                for line in entries:
                    kind, path, *rest = line.split(' ', 2)
                    info = tarfile.TarInfo(path)
                    info.mtime, info.mode = 1700000000, 0o755 if kind == 'd' else 0o644
                    if kind == 'd': info.type = tarfile.DIRTYPE
                    if kind in 'lh': info.type, info.linkname = {'l': tarfile.SYMTYPE, 'h': tarfile.LNKTYPE}[kind], rest[0]
                    data = rest[0].encode() if kind == 'f' and rest else b''
                    info.size = len(data)
                    t.addfile(info, io.BytesIO(data))
            return out.getvalue()
        def pipe(data, *command): return subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True).stdout
        gz, zst = lambda data: gzip.compress(data, mtime=0), lambda data: pipe(data, 'zstd', '-q', '-c')
        TYPE = 'application/vnd.oci.image.layer.v1.tar'
        def layer(plain, pack=gz, type=TYPE + '+gzip', diff=None):
            return {'mediaType': type, **blob(pack(plain)), 'diff': diff or 'sha256:' + hashlib.sha256(plain).hexdigest()}
        def config(layers, **more):
            return {'architecture': 'amd64', 'os': 'linux', 'config': {'Env': ['A=b c'], 'Cmd': ['/bin/sh']},
                    'rootfs': {'type': 'layers', 'diff_ids': [l['diff'] for l in layers]}, **more}
        def manifest(layers, conf=None, **more):
            described = {'mediaType': 'application/vnd.oci.image.config.v1+json', **blob(json.dumps(conf or config(layers)).encode())}
            layers = [{k: v for k, v in l.items() if k != 'diff'} for l in layers]
            body = {'schemaVersion': 2, 'mediaType': 'application/vnd.oci.image.manifest.v1+json', 'config': described, 'layers': layers, **more}
            return {'mediaType': body['mediaType'], **blob(json.dumps(body).encode())}
        def index(entries):
            body = {'schemaVersion': 2, 'mediaType': 'application/vnd.oci.image.index.v1+json', 'manifests': entries}
            return {'mediaType': body['mediaType'], **blob(json.dumps(body).encode())}
        def tag(name, described):
            entries = json.load(open('img/index.json'))['manifests'] if os.path.exists('img/index.json') else []
            entries.append({**described, 'annotations': {'org.opencontainers.image.ref.name': name}})
            json.dump({'schemaVersion': 2, 'manifests': entries}, open('img/index.json', 'w'))
            open('img/oci-layout', 'w').write('{"imageLayoutVersion":"1.0.0"}')
        LOW = tar('d etc', 'f etc/a one', 'f etc/b two', 'f usr/x five')
        """;

    /// <summary>Runs Python lines, which have the functions of the script.</summary>
    public static void Make(CliWorld world, string lines)
    {
        Tools.Require("python3");
        File.WriteAllText(world.At("make.py"), Script + "\n" + lines);
        world.Shell("python3 make.py").Succeeded();
    }
}
