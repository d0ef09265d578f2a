//! The graph as a client sees it: who needs, wants and comes after whom.

use super::Engine;
use super::id::NodeId;
use super::node::{Body, Node};
use super::view::kind;
use crate::config::spec::{ServiceSpec, Start};
use crate::proto::{Graph, Refusal, Reply, Vertex};

impl Engine {
    /// All nodes with their edges, from that one or the target down.
    pub(super) fn graph(&self, name: Option<&str>) -> Result<Reply, Refusal> {
        let root = match name {
            Some(name) => self.name(self.find(name)?).to_owned(),
            None => self.target.clone(),
        };
        // Of two with one name, the newer one has it.
        let named = |(id, node): &(NodeId, &Node)| self.names.get(&*node.name) == Some(id);
        let all = self.ids().zip(&self.nodes).filter(named);
        let vertices = all.map(|(_, node)| self.vertex(node)).collect();
        Ok(Reply::Graph(Box::new(Graph { root, vertices })))
    }

    fn vertex(&self, node: &Node) -> Vertex {
        let names = |ids: &[NodeId]| -> Vec<String> {
            // One that was forgotten has no name; who is held and not in the file stands on it still.
            let known = ids.iter().map(|id| self.name(*id)).filter(|name| !name.is_empty());
            known.map(str::to_owned).collect()
        };
        let mut wants = names(&node.edges.wants);
        if let Body::Target = node.body {
            let member = |member: &&Node| {
                let spec = member.living_spec();
                spec.is_some_and(|spec| is_member(spec, &node.name))
            };
            let members = self.nodes.iter().filter(member).map(|member| member.name.to_string());
            let members: Vec<String> = members.filter(|name| !wants.contains(name)).collect();
            wants.extend(members);
        }
        Vertex {
            name: node.name.to_string(),
            kind: kind(node).to_owned(),
            state: self.word_of(node),
            needs: node.edges.needs.iter().map(|need| names(need)).collect(),
            wants,
            after: names(&node.edges.after),
        }
    }
}

/// Whether a target brings that service up, or has finit hold its sockets.
pub fn is_member(spec: &ServiceSpec, target: &str) -> bool {
    let sockets = spec.start == Start::Demand && spec.sockets.is_some();
    let itself = spec.start == Start::Boot || sockets;
    spec.enabled && itself && spec.targets.iter().any(|one| one == target)
}
