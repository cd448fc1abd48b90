using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using HackTree.Store;

namespace HackTree.Transfer;

/// <summary>Reads the files of certificates and keys (PEM) that a user names. What is wrong with one is said in a sentence that names the file.</summary>
internal static class CertificateFiles
{
    /// <summary>The certificates of a file. Throws <see cref="StoreException"/> if there is none in it, or one that is damaged.</summary>
    internal static X509Certificate2Collection Read(string path)
    {
        var certificates = new X509Certificate2Collection();
        string text = OpenPath.Text(path);
        try
        {
            certificates.ImportFromPem(text);
        }
        catch (CryptographicException)
        {
            throw new StoreException($"{path}: a certificate in it is damaged");
        }

        return certificates.Count > 0 ? certificates : throw new StoreException($"{path}: there is no certificate (PEM) in it");
    }

    /// <summary>The first certificate of a file, with its key. Throws <see cref="StoreException"/> if there is no such key.</summary>
    internal static X509Certificate2 ReadOwn(string path, string keyPath)
    {
        string key = OpenPath.Text(keyPath);
        X509Certificate2 certificate = Read(path)[0];
        try
        {
            return X509Certificate2.CreateFromPem(certificate.ExportCertificatePem(), key);
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            throw new StoreException(key.Contains("BEGIN ENCRYPTED PRIVATE KEY", StringComparison.Ordinal)
                ? $"{keyPath}: the key in it has a passphrase; give one without (openssl pkey removes it)"
                : $"{keyPath}: there is no key in it that fits the certificate in {path}");
        }
    }
}
