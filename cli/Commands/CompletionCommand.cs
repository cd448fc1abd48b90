using System.CommandLine;
using System.CommandLine.Completions;

namespace HackTree.Cli;

internal sealed class CompletionCommand : Verb
{
    /// <summary>The hidden verb that the scripts call with the words of the line so far. The last word may be empty.</summary>
    internal const string AnswerVerb = "__complete";

    // If the answer is empty, each shell completes file names.
    private const string Bash = """
        # bash completion of hacktree: source <(hacktree completion bash)
        _hacktree() {
            local line="${COMP_LINE:0:COMP_POINT}" IFS words
            read -ra words <<< "$line"
            [[ $line != *[[:space:]] ]] || words+=('')
            IFS=$'\n'
            COMPREPLY=($("${words[0]}" __complete "${words[@]:1}" 2> /dev/null))
            [[ ${#COMPREPLY[@]} != 1 || ${COMPREPLY[0]} != */ ]] || compopt -o nospace 2> /dev/null
        }
        complete -o default -F _hacktree hacktree
        """;

    private const string Zsh = """
        #compdef hacktree
        # zsh completion of hacktree: hacktree completion zsh > a directory of $fpath/_hacktree
        _hacktree() {
            local -a found
            found=("${(@f)$("${words[1]}" __complete "${(@)words[2,CURRENT]}" 2> /dev/null)}")
            if (( ${#found} )) && [[ -n "${found[1]}" ]]; then
                compadd -S '' -- "${(@M)found:#*/}"
                compadd -- "${(@)found:#*/}"
            else
                _files
            fi
        }
        if [[ "${funcstack[1]}" = _hacktree ]]; then
            _hacktree "$@"
        else
            compdef _hacktree hacktree
        fi
        """;

    private const string Fish = """
        # fish completion of hacktree: hacktree completion fish | source
        function __hacktree_complete
            set -l words (commandline -opc) (commandline -ct)
            set -l found ($words[1] __complete $words[2..] 2> /dev/null)
            if set -q found[1]
                printf '%s\n' $found
            else
                __fish_complete_path (commandline -ct)
            end
        end
        complete -c hacktree -f -a '(__hacktree_complete)'
        """;

    private readonly Argument<string> shell = new("SHELL") { Description = "The shell.", HelpName = "bash|zsh|fish" };

    internal CompletionCommand()
        : base("completion", "Print a script that makes a shell complete verbs, options and refs.", "source <(hacktree completion bash)")
    {
        AcceptOnly(shell, "bash", "zsh", "fish");
        Add(shell);
    }

    /// <summary>Prints the words that may replace the last word.</summary>
    internal static int Answer(ReadOnlySpan<string> words)
    {
        Completions.Word = words.IsEmpty ? "" : words[^1];
        string[] before = words.IsEmpty ? [] : [.. words[..^1]];

        if (CommandTree.Parse(before).UnmatchedTokens.Count > 0)
        {
            return ExitCode.Done;
        }

        // The parser offers the value of an option at the option, and a further argument at an empty word in its place.
        IEnumerable<CompletionItem> offered = CommandTree.Parse(before).GetCompletions()
            .Concat(CommandTree.Parse([.. before, ""]).GetCompletions());
        foreach (string label in offered.Select(item => item.Label).Distinct())
        {
            // Options are offered only for a word that begins with '-'. Otherwise a file name could never be completed.
            if (label.StartsWith(Completions.Word, StringComparison.Ordinal) && label.StartsWith('-') == Completions.Word.StartsWith('-'))
            {
                StandardOutput.Instance.WriteLine(label);
            }
        }

        StandardOutput.Instance.Flush();
        return ExitCode.Done;
    }

    protected override int Run(Session session)
    {
        Session.Output.WriteLine(session.Get(shell) switch
        {
            "bash" => Bash,
            "zsh" => Zsh,
            _ => Fish,
        });
        return ExitCode.Done;
    }
}
