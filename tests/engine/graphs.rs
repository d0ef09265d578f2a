//! The graph that a client gets is the one that the engine stands on: each node once, with its
//! own relations, and with what the file says that it wants.

use finit::engine::{Engine, NodeId};
use finit::proto::Graph;

use crate::oracle::{Oracle, all};

impl Oracle {
    /// A request for the graph is answered.
    pub fn graph(&mut self, engine: &Engine, graph: &Graph) {
        let nodes = all(engine);
        let name = |id: &NodeId| engine.name(*id).to_owned();
        let names = |ids: &[NodeId]| -> Vec<String> { ids.iter().map(name).collect() };
        // Of two with one name, the newer one has it.
        let named = (0..).map(NodeId::from_number).zip(&nodes);
        let named: Vec<_> =
            named.filter(|(id, node)| engine.number(&node.name) == Some(*id)).collect();
        let (told, known) = (graph.vertices.len(), named.len());
        self.check(told == known, || format!("the graph has {told} nodes of {known}"));
        let root = engine.number(&graph.root).is_some();
        self.check(root, || format!("the graph begins at {}", graph.root));
        for ((id, node), vertex) in named.iter().zip(&graph.vertices) {
            let needs: Vec<Vec<String>> = node.needs.iter().map(|need| names(need)).collect();
            let wants = engine.spec().services.iter().find(|spec| spec.name == node.name);
            let mut wants = wants.into_iter().flat_map(|spec| &spec.dependencies.wants);
            // Where a definition is not followed yet, what it says otherwise does not count.
            let stands = engine.definition(*id).map(|spec| &spec.dependencies.wants);
            let unsaid = wants.find(|want| {
                stands.is_some_and(|stands| stands.contains(want)) && !vertex.wants.contains(want)
            });
            let same = vertex.name == node.name
                && vertex.needs == needs
                && vertex.after == names(&node.after);
            self.check(same && unsaid.is_none(), || {
                format!("the graph says {vertex:?} of {node:?}, {unsaid:?} is wanted")
            });
        }
    }
}
