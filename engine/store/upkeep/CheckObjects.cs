using HackTree.Linux;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>Checks every object under files/ against its name, the fan-out directories in parallel.</summary>
internal sealed class CheckObjects
{
    private readonly ObjectStore store;
    private readonly CheckReport report;
    private readonly Dictionary<ulong, ExpectedObject> expected;
    private readonly Progress? progress;
    private readonly Lock gate = new();
    private long expectedSeen;

    internal CheckObjects(ObjectStore store, CheckReport report, Dictionary<ulong, ExpectedObject> expected, Progress? progress)
    {
        this.store = store;
        this.report = report;
        this.expected = expected;
        this.progress = progress;
    }

    /// <summary>The objects with something wrong, by key.</summary>
    internal Dictionary<ulong, Problem> Bad { get; } = [];

    /// <summary>How many of the expected objects are there, good or bad.</summary>
    internal long ExpectedSeen => expectedSeen;

    internal void Run()
    {
        if (progress is not null)
        {
            progress.TotalFiles = expected.Count;
        }

        var work = new WorkStack<byte>(store.Stop);
        for (int fan = 255; fan >= 0; fan--)
        {
            work.Push((byte)fan);
        }

        work.RunReaders(() =>
        {
            var reader = new DirectoryReader();
            var inspection = new ObjectInspection(store.Format);
            return fan => CheckFan(fan, reader, inspection);
        });
    }

    private void CheckFan(byte fan, DirectoryReader reader, ObjectInspection inspection)
    {
        long objects = 0, bytes = 0;
        string path = $"files/{fan:x2}";
        try
        {
            using SafeFileHandle directory = store.Blobs.OpenFan(fan);
            reader.Start(directory, path);
            while (reader.Next())
            {
                if (ObjectName.TryParse(fan, reader.Name, out ObjectName name))
                {
                    objects++;
                    bytes += CheckObject(directory, reader.Name, name, inspection);
                }
                else
                {
                    report.Add(CheckReport.Show(path, reader.Name), "not an object's name");
                }
            }
        }
        catch (LinuxException e)
        {
            report.Add(path, e);
        }

        report.Count(result =>
        {
            result.Objects += objects;
            result.Bytes += bytes;
        });
    }

    private long CheckObject(SafeFileHandle directory, ReadOnlySpan<byte> entry, in ObjectName name, ObjectInspection inspection)
    {
        ulong key = ObjectKey.Of(name);
        bool isExpected = expected.TryGetValue(key, out ExpectedObject needed);
        if (isExpected)
        {
            Interlocked.Increment(ref expectedSeen);
        }

        string fault;
        try
        {
            fault = string.Join(", ", inspection.FindFaults(directory, entry, name, isExpected ? needed : null));
        }
        catch (Exception e) when (CheckReport.IsFinding(e))
        {
            fault = $"cannot be read: {report.Describe($"files/{name}", e)}";
        }

        if (fault.Length > 0)
        {
            lock (gate)
            {
                Bad.TryAdd(key, new Problem($"files/{name}", fault));
            }
        }

        progress?.Add(inspection.Size);
        return inspection.Size;
    }
}
