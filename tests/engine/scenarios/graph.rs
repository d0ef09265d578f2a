//! What a client is told of who stands on whom.

use finit::engine::Access;
use finit::proto::{Code, Graph, Reply, Request};

use crate::build::{machine, service, with_targets};
use crate::rig::Rig;

fn graph(rig: &mut Rig, name: Option<&str>) -> Graph {
    match rig.ask(Request::Graph { name: name.map(str::to_owned) }) {
        Ok(Reply::Graph(graph)) => *graph,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_graph_has_everything_with_its_state_and_its_edges() {
    let spec = machine([
        service("web").needs("db|store").wants("cache").after("log"),
        service("db").alias("base"),
        service("store").manual(),
        service("cache").in_target("rescue"),
        service("log"),
        service("getty@1").instance_of("getty"),
        service("off").disabled(),
    ]);
    let mut rig = Rig::cold(with_targets(spec, &[("big", &["db"])]), "default");
    rig.boot();
    let whole = graph(&mut rig, None);
    assert_eq!(whole.root, "default");
    let of = |name: &str| whole.vertices.iter().find(|vertex| vertex.name == name).unwrap();
    let web = of("web");
    assert_eq!((web.kind.as_str(), web.state.word()), ("service", "up"));
    assert_eq!(web.needs, [["db", "store"]]);
    assert_eq!(web.wants, ["cache"]);
    assert!(["log", "cache"].iter().all(|name| web.after.iter().any(|one| one == name)));
    assert_eq!(of("store").state.word(), "stopped");
    assert_eq!(of("getty").wants, ["getty@1"]);
    // Who says to be of a target is among what it wants, once; who does not start there is not.
    assert_eq!(of("default").wants, ["web", "db", "log", "getty@1"]);
    assert_eq!(of("rescue").wants, ["cache"]);
    assert_eq!(of("big").wants, ["db"]);
    assert_eq!(graph(&mut rig, Some("base")).root, "db");
    let refusal = rig.ask(Request::Graph { name: Some("wbe".to_owned()) }).unwrap_err();
    assert_eq!((refusal.code, refusal.hint.as_str()), (Code::NoSuchService, "did you mean `web`?"));
    let refused = rig.ask_as(Access::Look, Request::Graph { name: None }).unwrap_err();
    assert_eq!(refused.code, Code::Denied);
}
