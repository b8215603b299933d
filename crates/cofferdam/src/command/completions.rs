//! `cofferdam completions`: scripts for shells, which ask this program for the names of sessions.
//!
//! The scripts are made from the grammar; what is added here is only where a session stands on a command line.

use crate::arguments::{Arguments, CompleteIdsArguments, IdsOf};
use crate::output::Output;
use clap::{Command, CommandFactory as _};
use clap_complete::Shell;
use cofferdam_session::apply;
use cofferdam_session::checkpoints;
use cofferdam_session::context::Context;
use cofferdam_session::error::{Error, ErrorKind};
use cofferdam_session::sessions;
use cofferdam_session::state::State;
use std::io::Write as _;

pub(super) fn completions(shell: Shell) -> Result<u8, Error> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut grammar(), "cofferdam", &mut script);
    let script = String::from_utf8(script).map_err(|error| {
        Error::new(ErrorKind::Internal, "cannot write the completions")
            .because(error)
            .hint("please report this")
    })?;
    let script = match shell {
        Shell::Bash => script + BASH,
        Shell::Fish => script + FISH,
        Shell::Zsh => zsh(&script),
        // Commands and flags only.
        Shell::Elvish | Shell::PowerShell | _ => script,
    };
    let _closed = std::io::stdout().lock().write_all(script.as_bytes()).is_err();
    Ok(0)
}

/// The grammar without what is not for people, which the generator would offer all the same.
fn grammar() -> Command {
    let all = Arguments::command();
    let commands = all.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
    Command::new("cofferdam")
        .version(env!("CARGO_PKG_VERSION"))
        .disable_help_subcommand(true)
        .args(all.get_arguments().cloned())
        .subcommands(commands)
}

/// The names of sessions that begin so, one a line; where there are none, ids.
pub(super) fn sessions(context: &Context, output: &Output, beginning: &str) -> Result<u8, Error> {
    let found = sessions::list(context, &State::open(context)?)?;
    let names: Vec<&str> = found.iter().map(|record| record.name.as_str()).collect();
    let ids: Vec<&str> = found.iter().map(|record| record.id.as_str()).collect();
    let fitting = |words: &[&str]| -> Vec<String> {
        words.iter().filter(|word| word.starts_with(beginning)).map(|word| (*word).to_owned()).collect()
    };
    let by_name = fitting(&names);
    let fitting = if by_name.is_empty() { fitting(&ids) } else { by_name };
    fitting.iter().for_each(|word| output.line(word));
    Ok(0)
}

/// The ids of a session's applies that stand, or of its checkpoints, that begin so, one a line, the latest first.
pub(super) fn ids(context: &Context, output: &Output, arguments: &CompleteIdsArguments) -> Result<u8, Error> {
    let state = State::open(context)?;
    // Nobody is told of a failure here: there is then nothing to offer.
    let Ok(record) = sessions::find(context, &state, arguments.session.as_deref()) else { return Ok(0) };
    let ids: Vec<String> = match arguments.of {
        IdsOf::Applies => {
            let applies = apply::list(&state, &record.id)?;
            applies.into_iter().filter(|listed| !listed.undone).map(|listed| listed.id).collect()
        }
        IdsOf::Checkpoints => {
            checkpoints::list(&state, &record.id)?.iter().map(|taken| taken.id.to_string()).collect()
        }
    };
    let fitting = ids.iter().rev().filter(|id| id.starts_with(&arguments.beginning));
    fitting.for_each(|id| output.line(id));
    Ok(0)
}

/// Around the function that was made: where a session is meant, its names come first.
const BASH: &str = r#"
_cofferdam_with_sessions() {
    local word command='' of='' index
    local -a session=()
    _cofferdam "$@"
    for ((index = 1; index < COMP_CWORD; index++)); do
        word=${COMP_WORDS[index]}
        if [[ $word == -- ]]; then return; fi
        if [[ -z $command && $word != -* ]]; then command=$word; fi
        if [[ $word == -s || $word == --session ]]; then session=(-s "${COMP_WORDS[index + 1]}"); fi
    done
    word=${COMP_WORDS[COMP_CWORD]}
    case "$command ${COMP_WORDS[COMP_CWORD - 1]}" in
        exec\ -s | exec\ --session | resume\ -s | resume\ --session | apply\ -s | apply\ --session | \
            undo\ -s | undo\ --session | diff\ -s | diff\ --session | restore\ -s | restore\ --session | \
            secret\ -s | secret\ --session) COMPREPLY=() ;;
        show\ * | review\ * | attach\ * | logs\ * | events\ * | stop\ * | refresh\ * | checkpoint\ * | discard\ * | \
            explain\ explain)
            if [[ $word == -* ]]; then return; fi ;;
        undo\ *) of=applies ;;
        restore\ *) of=checkpoints ;;
        *) return ;;
    esac
    if [[ -n $of ]]; then
        if [[ $word == -* ]]; then return; fi
        COMPREPLY=($(compgen -W "$("$1" complete-ids "${session[@]}" "$of" -- "$word" 2>/dev/null)" -- "$word"))
        return
    fi
    COMPREPLY+=($(compgen -W "$("$1" complete-sessions -- "$word" 2>/dev/null)" -- "$word"))
}
complete -F _cofferdam_with_sessions -o bashdefault -o default cofferdam
"#;

const FISH: &str = r#"
complete -c cofferdam -n "__fish_cofferdam_using_subcommand show review attach logs events stop refresh checkpoint discard explain" -f -a "(cofferdam complete-sessions -- (commandline -ct) 2>/dev/null)"
complete -c cofferdam -n "__fish_cofferdam_using_subcommand exec resume diff apply undo restore secret" -s s -l session -x -a "(cofferdam complete-sessions -- (commandline -ct) 2>/dev/null)"
complete -c cofferdam -n "__fish_cofferdam_using_subcommand undo" -f -a "(cofferdam complete-ids applies -- (commandline -ct) 2>/dev/null)"
complete -c cofferdam -n "__fish_cofferdam_using_subcommand restore" -f -a "(cofferdam complete-ids checkpoints -- (commandline -ct) 2>/dev/null)"
"#;

const ZSH: &str = r#"
(( $+functions[_cofferdam_sessions] )) ||
_cofferdam_sessions() {
    local -a sessions
    sessions=(${(f)"$(cofferdam complete-sessions -- "$PREFIX" 2>/dev/null)"})
    compadd -a sessions
}
(( $+functions[_cofferdam_ids] )) ||
_cofferdam_ids() {
    local -a ids session
    local at=${words[(I)(-s|--session)]}
    if (( at )); then session=(-s "${words[at + 1]}"); fi
    ids=(${(f)"$(cofferdam complete-ids $session "$1" -- "$PREFIX" 2>/dev/null)"})
    compadd -V ids -a ids
}
(( $+functions[_cofferdam_applies] )) || _cofferdam_applies() { _cofferdam_ids applies }
(( $+functions[_cofferdam_checkpoints] )) || _cofferdam_checkpoints() { _cofferdam_ids checkpoints }
"#;

/// Lines of arguments that are a session say so by their name; for them the default is replaced.
fn zsh(script: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in script.lines() {
        let offered = match () {
            () if line.contains(":session -- ") || line.contains(":SESSION:") => Some("sessions"),
            () if line.contains(":apply -- ") => Some("applies"),
            () if line.contains(":checkpoint -- ") => Some("checkpoints"),
            () => None,
        };
        lines.push(match offered {
            Some(what) => line.replacen(":_default'", &format!(":_cofferdam_{what}'"), 1),
            None => line.to_owned(),
        });
        if line.starts_with("autoload ") {
            lines.push(ZSH.to_owned());
        }
    }
    lines.join("\n") + "\n"
}
