using HackTree.Linux;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>Checks every object under files/ against its name, the fan-out directories in parallel.</summary>
internal sealed class CheckObjects
{
    private readonly ObjectStore store;
    private readonly CheckReport report;
    private readonly ExpectedObjects expected;
    private readonly Progress? progress;
    private readonly bool measures;
    private readonly Lock gate = new();
    private long expectedSeen;

    internal CheckObjects(ObjectStore store, CheckReport report, ExpectedObjects expected, Progress? progress, bool measures)
    {
        this.store = store;
        this.report = report;
        this.expected = expected;
        this.progress = progress;
        this.measures = measures;
    }

    /// <summary>The objects with faults, by key.</summary>
    internal Dictionary<ulong, Finding> Bad { get; } = [];

    /// <summary>The number of expected objects that exist, damaged or not.</summary>
    internal long ExpectedSeen => expectedSeen;

    internal void Run()
    {
        if (progress is not null)
        {
            progress.TotalFiles = expected.Count;
        }

        FanWalk.Run(store, () =>
        {
            var reader = new DirectoryReader();
            var inspection = new ObjectInspection(store.Format, measures);
            return fan => CheckFan(fan, reader, inspection);
        });
    }

    private void CheckFan(byte fan, DirectoryReader reader, ObjectInspection inspection)
    {
        long objects = 0, bytes = 0, measured = 0;
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
                    measured += inspection.WasMeasured ? 1 : 0;
                }
                else
                {
                    report.Add(new Finding.ForeignFile(CheckReport.Show(path, reader.Name), StoreFolder.Fanout));
                }
            }
        }
        catch (LinuxException e)
        {
            report.Add(new Finding.UnreadableDirectory(path, report.CauseOf(path, e)));
        }

        report.Count(result =>
        {
            result.Objects += objects;
            result.Bytes += bytes;
            result.Measured += measured;
        });
    }

    private long CheckObject(SafeFileHandle directory, ReadOnlySpan<byte> entry, in ObjectName name, ObjectInspection inspection)
    {
        ulong key = ObjectKey.Of(name);
        bool isExpected = expected.TryGet(key, out ExpectedObject needed);
        if (isExpected)
        {
            Interlocked.Increment(ref expectedSeen);
        }

        Finding? finding = null;
        try
        {
            ObjectFaults faults = inspection.FindFaults(directory, entry, name, isExpected ? needed : null);
            finding = faults == ObjectFaults.None ? null : new Finding.DamagedObject(name, faults, inspection.Facts, isExpected ? needed.Size : null);
        }
        catch (Exception e) when (CheckReport.IsFinding(e))
        {
            finding = new Finding.UnreadableObject(name, report.CauseOf($"files/{name}", e));
        }

        if (finding is not null)
        {
            lock (gate)
            {
                Bad.TryAdd(key, finding);
            }
        }

        progress?.Add(inspection.Facts.Size);
        return inspection.Facts.Size;
    }
}
