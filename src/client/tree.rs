//! `finitctl tree` and `finitctl graph`: what stands on what.

use std::collections::{BTreeMap, BTreeSet};

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::connect::Failure;
use super::output::{Paint, Style};
use super::{Form, Session, Status, overview, text, unexpected};
use crate::proto::{Graph, Reply, Request, Vertex};

/// The words behind `tree`.
pub fn arguments(command: Command) -> Command {
    let name = Arg::new("name").value_name("NAME");
    command.arg(name.help("From this one down; the target that the machine is in without"))
}

/// The words behind `graph`.
pub fn graph_arguments(command: Command) -> Command {
    let dot = Arg::new("dot").long("dot").action(ArgAction::SetTrue);
    command.arg(dot.help("In the language of dot(1), as without: finitctl graph | dot -Tsvg"))
}

/// `finitctl tree`.
///
/// # Errors
/// No answer, or nothing has that name.
pub fn tree(session: &mut Session, matches: &ArgMatches) -> Result<Status, Failure> {
    let graph = ask(session, matches.get_one::<String>("name").cloned())?;
    match session.form {
        Form::Json => session.output.json(&graph),
        Form::Text => {
            let page = render(&graph, session.style());
            session.output.text(&page);
        }
    }
    Ok(Status::Done)
}

/// `finitctl graph`.
///
/// # Errors
/// No answer.
pub fn graph(session: &mut Session, _: &ArgMatches) -> Result<Status, Failure> {
    let graph = ask(session, None)?;
    match session.form {
        Form::Json => session.output.json(&graph),
        Form::Text => session.output.text(&dot(&graph)),
    }
    Ok(Status::Done)
}

fn ask(session: &mut Session, name: Option<String>) -> Result<Graph, Failure> {
    match session.ask(&Request::Graph { name })? {
        Reply::Graph(graph) => Ok(*graph),
        other => Err(unexpected(&other)),
    }
}

/// Each once, with what it needs and wants below it: where it comes again, it is "(above)".
pub fn render(graph: &Graph, style: Style) -> String {
    let by_name: BTreeMap<&str, &Vertex> =
        graph.vertices.iter().map(|vertex| (vertex.name.as_str(), vertex)).collect();
    let mut page = String::new();
    let mut shown = BTreeSet::new();
    // A list and no function that calls itself: a chain of ten thousand services has its depth.
    let mut open = vec![(0usize, "", graph.root.as_str())];
    while let Some((depth, relation, name)) = open.pop() {
        let vertex = by_name.get(name).copied();
        let state = vertex.map(|vertex| {
            let word = vertex.state.word();
            format!(": {}", style.paint(overview::paint(vertex.state), word))
        });
        let indent = "  ".repeat(depth);
        let relation = style.paint(Paint::Faint, relation);
        page.push_str(&format!("{indent}{relation}{}", text::clean(name)));
        page.push_str(&state.unwrap_or_default());
        if shown.insert(name) {
            let (deeper, below) = (depth.saturating_add(1), vertex.map(below).unwrap_or_default());
            open.extend(below.into_iter().rev().map(|(words, name)| (deeper, words, name)));
        } else {
            page.push_str(" (above)");
        }
        page.push('\n');
    }
    page
}

/// What it needs and what it wants, each with the words for that.
fn below(vertex: &Vertex) -> Vec<(&'static str, &str)> {
    let mut below = Vec::new();
    for need in &vertex.needs {
        let mut words = if need.len() == 1 { "needs " } else { "needs either " };
        for name in need {
            below.push((words, name.as_str()));
            words = "or ";
        }
    }
    let needed = |name: &&String| !vertex.needs.iter().flatten().any(|need| need == *name);
    let wants = vertex.wants.iter().filter(needed);
    below.extend(wants.map(|name| ("wants ", name.as_str())));
    below
}

/// The whole graph for dot(1).
pub fn dot(graph: &Graph) -> String {
    let mut page = "\
digraph finit {
  // solid: needs; dashed: wants; dotted: comes after
  rankdir=LR;
  node [shape=box];
"
    .to_owned();
    for vertex in &graph.vertices {
        let colour = match overview::paint(vertex.state) {
            Paint::Green => "darkgreen",
            Paint::Red => "red",
            Paint::Yellow => "orange",
            Paint::Faint | Paint::Bold => "gray",
        };
        let (name, word) = (quoted(&vertex.name), vertex.state.word());
        page.push_str(&format!("  {name} [color={colour}, tooltip=\"{word}\"];\n"));
        let mut edge = |to: &str, look: &str| {
            page.push_str(&format!("  {name} -> {}{look};\n", quoted(to)));
        };
        for need in &vertex.needs {
            let look = if need.len() == 1 { "" } else { " [label=\"or\"]" };
            need.iter().for_each(|to| edge(to, look));
        }
        let needed: BTreeSet<&String> = vertex.needs.iter().flatten().collect();
        for to in vertex.wants.iter().filter(|to| !needed.contains(to)) {
            edge(to, " [style=dashed]");
        }
        let known = |to: &&String| needed.contains(to) || vertex.wants.contains(to);
        for to in vertex.after.iter().filter(|to| !known(to)) {
            edge(to, " [style=dotted]");
        }
    }
    page.push_str("}\n");
    page
}

/// A name between quotes, in which dot(1) knows only the quote as special.
fn quoted(name: &str) -> String {
    format!("\"{}\"", text::clean(name).replace('"', "\\\""))
}
