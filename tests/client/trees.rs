//! What stands on what.

use finit::client::output::{Colour, Style};
use finit::client::tree;
use finit::proto::frame::Answer;
use finit::proto::{Graph, Reply, Request, StateWord, Vertex};

use super::fake::*;

fn vertex(name: &str, state: StateWord, needs: &[&str], wants: &[&str], after: &[&str]) -> Vertex {
    let owned = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let needs = needs.iter().map(|need| owned(&need.split('|').collect::<Vec<_>>())).collect();
    let (name, kind) = (name.to_owned(), "service".to_owned());
    Vertex { name, kind, state, needs, wants: owned(wants), after: owned(after) }
}

fn house() -> Graph {
    let vertices = vec![
        vertex("default", StateWord::Up, &[], &["web", "mail", "cache"], &["web"]),
        vertex("web", StateWord::Waiting, &["db|store", "net"], &["cache"], &["cache", "log"]),
        vertex("mail", StateWord::Up, &["net"], &["net"], &[]),
        vertex("db", StateWord::Failed, &[], &[], &[]),
        vertex("store", StateWord::Stopped, &["net"], &[], &[]),
        vertex("net", StateWord::Done, &["link"], &[], &[]),
        vertex("link", StateWord::Done, &[], &[], &[]),
        vertex("cache", StateWord::Up, &[], &["mail"], &[]),
        vertex("log", StateWord::Up, &[], &[], &[]),
    ];
    Graph { root: "default".to_owned(), vertices }
}

#[test]
fn a_tree_shows_each_once_with_its_state() {
    let server = Server::new(|request| match request {
        Request::Graph { name } => {
            let root = name.clone().unwrap_or_else(|| "default".to_owned());
            vec![Answer::Reply(Reply::Graph(Box::new(Graph { root, ..house() })))]
        }
        _ => vec![done()],
    });
    let ran = server.run(&["tree"]);
    let expected = "\
default: up
  wants web: waiting
    needs either db: failed
    or store: stopped
      needs net: done
        needs link: done
    needs net: done (above)
    wants cache: up
      wants mail: up
        needs net: done (above)
  wants mail: up (above)
  wants cache: up (above)
";
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, expected, ""));
    let ran = server.run(&["tree", "net"]);
    assert_eq!(ran.out, "net: done\n  needs link: done\n");
    let ran = server.run(&["tree", "--json"]);
    assert_eq!(serde_json::from_str::<Graph>(&ran.out).unwrap(), house());
    let style = Style { colour: Colour::On, width: None };
    assert!(tree::render(&house(), style).contains("db: \u{1b}[31mfailed\u{1b}[0m\n"));
}

#[test]
fn a_circle_and_a_deep_chain_come_to_an_end() {
    let one = |name: &str, on: &str| vertex(name, StateWord::Up, &[], &[on], &[]);
    let circle = Graph { root: "a".to_owned(), vertices: vec![one("a", "b"), one("b", "a")] };
    let page = tree::render(&circle, Style::default());
    assert_eq!(page, "a: up\n  wants b: up\n    wants a: up (above)\n");
    let chain = (0..2_000).map(|n| one(&format!("n{n}"), &format!("n{}", n + 1)));
    let chain = Graph { root: "n0".to_owned(), vertices: chain.collect() };
    assert_eq!(tree::render(&chain, Style::default()).lines().count(), 2_001);
}

#[test]
fn a_graph_is_drawn_by_dot() {
    let server = Server::new(|_| vec![Answer::Reply(Reply::Graph(Box::new(house())))]);
    let page = server.run(&["graph", "--dot"]).out;
    assert_eq!(server.run(&["graph"]).out, page);
    assert!(page.starts_with("digraph finit {\n") && page.ends_with("}\n"), "{page}");
    for line in [
        "  \"db\" [color=red, tooltip=\"failed\"];",
        "  \"web\" -> \"db\" [label=\"or\"];",
        "  \"web\" -> \"net\";",
        "  \"web\" -> \"cache\" [style=dashed];",
        "  \"web\" -> \"log\" [style=dotted];",
    ] {
        assert_eq!(page.lines().filter(|one| *one == line).count(), 1, "{line}\n{page}");
    }
    assert_eq!(page.matches("-> \"cache\"").count(), 2, "no edge is drawn twice: {page}");
}
