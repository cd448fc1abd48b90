using HackTree.Tests.Support;

namespace HackTree.Tests.Linux;

/// <summary>
/// Runs this folder's tests once more as nobody, because root may do anything, so a run as root says little about permissions.
/// </summary>
public sealed class OrdinaryUserTests
{
    [Fact]
    public void The_tests_of_system_calls_pass_for_an_ordinary_user() => ChildRun.NamespaceAsNobody(typeof(OrdinaryUserTests).Namespace!);
}
