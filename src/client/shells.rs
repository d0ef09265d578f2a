//! `finitctl completions` and `finitctl man`: what can be typed, for shells and for readers. Both
//! are made from the one table of commands.
//!
//! What clap makes for a shell knows the commands and their options. Names of services are asked
//! of the finit that runs, when somebody presses Tab; where none answers there are no names.

use std::fmt::Write as _;

use clap::{Arg, ArgMatches, Command};
use clap_complete::{Shell, generate};
use clap_mangen::Man;

use super::connect::Failure;
use super::{Session, Status, verbs};

/// The words behind `completions`.
pub fn completions_arguments(command: Command) -> Command {
    let shell = Arg::new("shell").value_name("SHELL").value_parser(["bash", "zsh", "fish"]);
    command.arg(shell.required(true).help("For which shell")).after_help(COMPLETIONS)
}

const COMPLETIONS: &str = "\
  bash  finitctl completions bash >/etc/bash_completion.d/finitctl
  zsh   finitctl completions zsh >/usr/local/share/zsh/site-functions/_finitctl
  fish  finitctl completions fish >/etc/fish/completions/finitctl.fish
Names of services are those that `finitctl list` shows when they are asked for.";

/// The words behind `man`.
pub fn man_arguments(command: Command) -> Command {
    let verb = Arg::new("command").value_name("COMMAND");
    command.arg(verb.help("The page of this command, finitctl-COMMAND(8)")).after_help(
        "  finitctl man >/usr/local/share/man/man8/finitctl.8\n  \
         finitctl man start | man -l -",
    )
}

/// `finitctl completions`.
///
/// # Errors
/// No such shell.
pub fn completions(session: &mut Session, matches: &ArgMatches) -> Result<Status, Failure> {
    let mut whole = verbs::whole();
    let shell = matches.get_one::<String>("shell").map_or("", String::as_str);
    let (kind, add): (Shell, fn(String, &Command) -> String) = match shell {
        "bash" => (Shell::Bash, for_bash),
        "zsh" => (Shell::Zsh, for_zsh),
        "fish" => (Shell::Fish, for_fish),
        other => return Err(Failure::Usage(format!("`{other}` is no shell that is known"))),
    };
    let mut script = Vec::new();
    generate(kind, &mut whole, verbs::NAME, &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    session.output.text(&add(script, &whole));
    Ok(Status::Done)
}

/// `finitctl man`.
///
/// # Errors
/// No such command.
pub fn man(session: &mut Session, matches: &ArgMatches) -> Result<Status, Failure> {
    let mut whole = verbs::whole();
    whole.build();
    let page = match matches.get_one::<String>("command") {
        None => whole,
        Some(verb) => {
            let found = whole.get_subcommands().find(|known| known.get_name() == verb).cloned();
            let Some(found) = found else {
                return Err(Failure::Usage(format!("`{verb}` is no command")));
            };
            let title = format!("{}-{verb}", verbs::NAME);
            found.display_name(title).version(env!("CARGO_PKG_VERSION"))
        }
    };
    let mut text = Vec::new();
    let written = Man::new(page).section("8").render(&mut text);
    written.map_err(|error| Failure::Local(error.to_string()))?;
    session.output.text(&String::from_utf8_lossy(&text));
    Ok(Status::Done)
}

/// Commands behind which names of services stand.
fn with_names(whole: &Command) -> Vec<&str> {
    let is_name = |argument: &Arg| {
        let id = argument.get_id().as_str();
        argument.is_positional() && matches!(id, "name" | "names")
    };
    let takes = |command: &&Command| {
        command.get_name() != "target" && command.get_positionals().any(is_name)
    };
    whole.get_subcommands().filter(takes).map(Command::get_name).collect()
}

/// Options whose value is the next word.
fn with_values(whole: &Command) -> Vec<String> {
    let mut options: Vec<String> = Vec::new();
    for command in std::iter::once(whole).chain(whole.get_subcommands()) {
        for option in command.get_opts().filter(|option| option.get_action().takes_values()) {
            options.extend(option.get_long().map(|long| format!("--{long}")));
            options.extend(option.get_short().map(|short| format!("-{short}")));
        }
    }
    options.sort();
    options.dedup();
    options
}

/// What asks for names, in the words of sh(1): the first word of each line below the heading.
const ASK: &str = "finitctl list --timeout 2s";

fn for_bash(script: String, whole: &Command) -> String {
    let (names, values) = (with_names(whole).join("|"), with_values(whole).join("|"));
    // A word with `@` or `:` in it is several to readline, which wants the rest of it alone.
    format!(
        r#"{script}
_finitctl_names() {{
    {ASK} "$@" 2>/dev/null | {{
        read -r _
        while read -r name _; do printf '%s\n' "$name"; done
    }}
}}

_finitctl_words() {{
    local before=${{COMP_LINE:0:COMP_POINT}} verb='' word ask=()
    local word=${{before##*[[:space:]]}}
    for verb in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
        [[ $verb == -* ]] || break
    done
    _finitctl "$@"
    [[ $word != -* && $COMP_CWORD -gt 1 ]] || return 0
    case $3 in
        {values}) return 0 ;;
    esac
    case $verb in
        {names}) ;;
        target) ask=(--targets) ;;
        *) return 0 ;;
    esac
    COMPREPLY=($(compgen -W "$(_finitctl_names "${{ask[@]}}")" -- "$word"))
    COMPREPLY=("${{COMPREPLY[@]#"${{word%"${{word##*[@:]}}"}}"}}")
}}
complete -F _finitctl_words -o bashdefault -o default finitctl
"#
    )
}

fn for_zsh(script: String, _: &Command) -> String {
    let mut asks = String::new();
    for line in script.lines() {
        let is_name = [":name", "::name", "*::names", "*:names"]
            .iter()
            .any(|start| line.trim_start_matches(['\'', '"']).starts_with(start));
        let line =
            if is_name { line.replace(":_default'", ":_finitctl_names'") } else { line.into() };
        // Writing into a String cannot fail.
        let _ok = writeln!(asks, "{line}");
        if line.starts_with("#compdef") {
            asks.push_str(&format!(
                r#"
_finitctl_names() {{
    local -a names
    names=(${{${{(f)"$({ASK} --all 2>/dev/null)"}}[2,-1]%% *}})
    compadd -a names
}}

"#
            ));
        }
    }
    asks
}

fn for_fish(script: String, whole: &Command) -> String {
    let names = with_names(whole).join(" ");
    format!(
        r#"{script}
function __fish_finitctl_names
    {ASK} $argv 2>/dev/null | string replace -r '\s.*' '' | tail -n +2
end
complete -c finitctl -n "__fish_seen_subcommand_from {names}" -f -a "(__fish_finitctl_names)"
complete -c finitctl -n "__fish_seen_subcommand_from target" -f -a "(__fish_finitctl_names --targets)"
"#
    )
}
