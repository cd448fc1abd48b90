using System.Text;
using HackTree.Tests.Support;
using HackTree.Transfer;

namespace HackTree.Tests.Transfer;

/// <summary>A directory with keys that ssh-keygen made, and lists of trusted keys. ssh-keygen is the judge.</summary>
internal sealed class SignKeys : IDisposable
{
    private readonly TempDirectory directory = new();

    public SignKeys() => Tools.Require("ssh-keygen");

    public string At(string name) => directory.At(name);

    /// <summary>Makes a key and returns its path.</summary>
    public string Make(string name, params string[] options)
    {
        string[] kind = options.Length > 0 ? options : ["-t", "ed25519"];
        string[] secret = kind.Contains("-N") ? [] : ["-N", ""];
        Tools.Run("ssh-keygen", ["-q", .. kind, .. secret, "-C", name, "-f", At(name)]).Succeeded();
        return At(name);
    }

    /// <summary>A file that trusts keys: "PRINCIPALS [OPTIONS]" and the key's name, of each.</summary>
    public string Trust(string name, params (string Who, string Key)[] lines) =>
        directory.Write(name, Encoding.UTF8.GetBytes(string.Concat(lines.Select(line => $"{line.Who} {File.ReadAllText(At($"{line.Key}.pub"))}"))));

    /// <summary>Signs by ssh-keygen itself.</summary>
    public SshSignature Sign(string key, byte[] text, string space = SshSignature.OfCommits, params string[] options)
    {
        string file = directory.Write("text", text);
        File.Delete($"{file}.sig");
        Tools.Run("ssh-keygen", ["-q", "-Y", "sign", "-n", space, .. options, "-f", At(key), file]).Succeeded();
        return Assert.Single(SshArmor.Parse(File.ReadAllBytes($"{file}.sig")));
    }

    /// <summary>What ssh-keygen says of a signature.</summary>
    public bool Judge(string trusted, byte[] text, byte[] signature, string who = "alice", string space = SshSignature.OfCommits)
    {
        directory.Write("text", text);
        directory.Write("judged.sig", signature);
        return Tools.Run("bash", "-c", $"ssh-keygen -Y verify -f '{trusted}' -I '{who}' -n '{space}' -s '{At("judged.sig")}' < '{At("text")}'").ExitCode == 0;
    }

    public void Dispose() => directory.Dispose();
}
