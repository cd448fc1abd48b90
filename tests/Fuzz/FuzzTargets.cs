namespace HackTree.Tests.Fuzz;

/// <summary>The one table of decoders that read bytes from elsewhere. A new decoder of such bytes gets a line in the class of its room.</summary>
internal static class FuzzTargets
{
    public static FuzzTarget[] All(FuzzPlace place) =>
        [.. StoreTargets.All(place), .. CheckoutTargets.All(place), .. BootTargets.All(place), .. TransferTargets.All(place)];

    public static string[] Names { get; } = NamesOf();

    private static string[] NamesOf()
    {
        using var place = new FuzzPlace();
        return [.. All(place).Select(target => target.Name)];
    }
}
