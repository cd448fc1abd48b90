using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using HackTree.Checkout;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Boot;

/// <summary>What to build by a recipe.</summary>
/// <param name="Ref">The ref to set to the last step's commit.</param>
/// <param name="Basis">The commit that the first step runs in.</param>
/// <param name="Revision">That commit as the user named it.</param>
/// <param name="Steps">The shell commands.</param>
/// <param name="Surroundings">The surroundings of all commands; its own command is not used.</param>
/// <param name="IsFresh">Whether all steps are run, also those that are remembered.</param>
/// <param name="Subject">The subject of the last commit; empty for that of a step.</param>
/// <param name="Body">The body of the last commit.</param>
/// <param name="Time">Gives the time of a commit.</param>
public sealed record RecipeRequest(
    string Ref,
    Digest Basis,
    string Revision,
    IReadOnlyList<string> Steps,
    BuildRequest Surroundings,
    bool IsFresh,
    string Subject,
    string Body,
    Func<long> Time);

/// <summary>A step that begins.</summary>
/// <param name="Number">Its number, from 1.</param>
/// <param name="Text">Its command.</param>
/// <param name="IsRemembered">Whether its commit is there already, so that it is not run.</param>
public sealed record RecipeStep(int Number, string Text, bool IsRemembered);

/// <summary>Builds by a recipe: each step runs in the commit of the step before.</summary>
/// <remarks>
/// A step's commit is the child of the commit that the step ran in, and has the step's key as an annotation. A step is remembered if such a commit
/// is in the history of the ref, or of a second ref, which has the steps of a recipe that has not come to its end. So gc and fsck know of them.
/// </remarks>
public sealed class RecipeBuild
{
    private const string Annotation = "build.step";
    private const string Prefix = "build-steps/";
    private const int SubjectLength = 72;

    private readonly ObjectStore store;
    private readonly RecipeRequest request;
    private readonly string unfinished;
    private readonly Dictionary<(Digest Parent, string Key), Digest> remembered = [];

    private RecipeBuild(ObjectStore store, RecipeRequest request)
    {
        this.store = store;
        this.request = request;
        unfinished = Prefix + request.Ref;
        store.Refs.RequireFree(request.Ref);
        store.Refs.RequireFree(unfinished);
        if (!request.IsFresh)
        {
            Remember(request.Ref);
            Remember(unfinished);
        }
    }

    /// <summary>Builds, and returns the last commit. Throws <see cref="StoreException"/> if a step fails; then the ref stays as it was.</summary>
    /// <param name="store">The store.</param>
    /// <param name="request">What to build.</param>
    /// <param name="onStep">Called before each step.</param>
    /// <param name="onBuilt">Called after each step that was run.</param>
    public static Digest Run(ObjectStore store, RecipeRequest request, Action<RecipeStep> onStep, Action<BuildOutcome> onBuilt)
    {
        var build = new RecipeBuild(store, request);
        Digest current = request.Basis;
        for (int i = 0; i < request.Steps.Count; i++)
        {
            bool isRemembered = build.remembered.TryGetValue((current, build.KeyOf(i)), out Digest made);
            onStep(new RecipeStep(i + 1, request.Steps[i], isRemembered));
            if (!isRemembered)
            {
                BuildOutcome outcome = build.RunStep(i, current);
                onBuilt(outcome);
                made = outcome.Commit;
            }

            current = made;
        }

        build.Finish(current);
        return current;
    }

    private BuildOutcome RunStep(int step, Digest basis)
    {
        try
        {
            string revision = step == 0 ? request.Revision : basis.ToString();
            BuildRequest run = request.Surroundings with { Command = ["/bin/sh", "-ec", request.Steps[step]], Script = null };
            return Build.Run(store, basis, revision, run, () => Describe(step, basis));
        }
        catch (BuildFailedException e)
        {
            throw new StoreException(
                $"step {step + 1} of {request.Steps.Count} failed with exit code {e.ExitCode}, and {request.Ref} stays as it was; "
                + $"the step ran in commit {basis.ToString()[..12]}");
        }
    }

    private CommitRequest Describe(int step, Digest basis)
    {
        bool isLast = IsLast(step);
        string line = request.Steps[step].Split('\n')[0];
        line = line.Length > SubjectLength || !Commit.IsLine(line) ? $"step {step + 1} of a recipe" : line;
        return new CommitRequest
        {
            Ref = isLast ? request.Ref : unfinished,
            Parent = basis,
            Subject = isLast && request.Subject.Length > 0 ? request.Subject : line,
            Body = isLast ? request.Body : "",
            Annotations = ImmutableSortedDictionary<string, string>.Empty.Add(Annotation, KeyOf(step)),
            Time = request.Time(),
        };
    }

    /// <summary>Finds the steps in a ref's history. It ends at the first commit that is no step's.</summary>
    private void Remember(string name)
    {
        Digest next = store.Refs.Find(name);
        while (!next.IsNone && store.Packs.TryReadCommit(next, out Commit? commit) && !commit.Parents.IsEmpty
            && commit.Annotations.TryGetValue(Annotation, out string? key) && remembered.TryAdd((commit.Parents[0], key), next))
        {
            next = commit.Parents[0];
        }
    }

    /// <summary>Sets the ref, unless the last step has, and deletes the ref of unfinished steps.</summary>
    private void Finish(Digest last)
    {
        DurableCommit? durable = store.Refs.Find(request.Ref) == last ? null : store.MakeDurable(last);
        bool hasUnfinished = !store.Refs.Find(unfinished).IsNone;
        if (durable is null && !hasUnfinished)
        {
            return;
        }

        using RefTurn turn = RefTurn.Take(store);
        if (durable is not null)
        {
            turn.Set(request.Ref, durable, "build: all steps are remembered");
        }

        if (!turn.Find(unfinished).IsNone)
        {
            turn.Delete(unfinished);
        }
    }

    /// <summary>Everything that a step's result depends on, as far as it is known, except the commit that the step runs in.</summary>
    private string KeyOf(int step)
    {
        BuildRequest around = request.Surroundings;
        string[] parts =
        [
            request.Steps[step], IsLast(step) ? request.Subject + "\n" + request.Body : "", around.HasNetwork ? "network" : "",
            .. around.Binds.Select(bind => $"bind {Path.GetFullPath(bind.Source)}:{bind.Target}"),
            .. around.Environment.Select(variable => $"env {variable.Name}={variable.Value}"),
        ];
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\0', parts))));
    }

    private bool IsLast(int step) => step == request.Steps.Count - 1;
}
