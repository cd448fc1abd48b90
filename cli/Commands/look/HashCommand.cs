using System.CommandLine;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Cli;

internal sealed class HashCommand : Verb
{
    private readonly Argument<string[]> files = new("FILE") { Description = "The files.", Arity = ArgumentArity.OneOrMore };
    private readonly Option<bool> json;

    internal HashCommand()
        : base("hash", "Print the digest of each file's content, which is the name of its object.", "hacktree hash /etc/os-release")
    {
        Add(files);
        json = AddJson();
        Details = "The digests are those that `fsverity digest` prints: SHA-256, blocks of 4096 bytes, no salt.";
    }

    protected override StopWay WayToStop(Session session) => StopWay.EndAtOnce;

    protected override int Run(Session session)
    {
        bool hasFailed = false;
        if (!session.Get(json))
        {
            foreach ((string file, Digest digest) in HashAll(() => hasFailed = true, session))
            {
                Session.Output.Write($"sha256:{digest} ");
                Session.Output.Write(ByteText.FromArgument(file));
                Session.Output.WriteLine("");
            }
        }
        else
        {
            JsonText.Write(writer =>
            {
                writer.WriteStartArray();
                foreach ((string file, Digest digest) in HashAll(() => hasFailed = true, session))
                {
                    writer.WriteStartObject();
                    writer.WriteBytes("file", ByteText.FromArgument(file));
                    writer.WriteDigest("digest", digest);
                    writer.EndItem();
                }

                writer.WriteEndArray();
            });
        }

        return hasFailed ? ExitCode.Failed : ExitCode.Done;
    }

    /// <summary>Hashes the files. Like sha256sum it reports a file that cannot be read, and goes on.</summary>
    private IEnumerable<(string File, Digest Digest)> HashAll(Action onFailure, Session session)
    {
        foreach (string file in session.Get(files))
        {
            Digest digest = default;
            try
            {
                digest = Hash(file);
            }
            catch (Exception e) when (e is LinuxException or StoreException)
            {
                Failure.Report(e);
                onFailure();
            }

            if (!digest.IsNone)
            {
                yield return (file, digest);
            }
        }
    }

    private static Digest Hash(string path)
    {
        using SafeFileHandle file = OpenPath.File(path, OpenFlags.NonBlocking);
        Sys.Stat(file, out FileStatus status).ThrowIfFailed("statx", path);
        return status.Type == FileType.Regular
            ? Blobs.HashFile(file, status, path)
            : throw new StoreException($"{path}: not a regular file; only content has a digest");
    }
}
