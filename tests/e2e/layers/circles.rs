//! Circles among imports.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// One file, or one folder, imports another.
#[derive(Debug, Clone)]
pub(super) struct Edge {
    pub(super) from: String,
    pub(super) to: String,
    /// Where, and by which path: `lsp/board/x.rs:12 names lsp::run::Y`.
    pub(super) because: String,
}

/// Files or folders that import each other, directly or through others.
#[derive(Debug)]
pub(super) struct Circle {
    /// Everything that belongs together, in alphabetical order.
    pub(super) members: BTreeSet<String>,
    /// A shortest way around, back to where it begins.
    pub(super) way: Vec<Edge>,
}

/// Every circle among these edges: one for each set of members that all reach each other.
pub(super) fn circles(edges: &[Edge]) -> Vec<Circle> {
    let mut from: BTreeMap<&str, Vec<&Edge>> = BTreeMap::new();
    for edge in edges.iter().filter(|edge| edge.from != edge.to) {
        from.entry(&edge.from).or_default().push(edge);
    }
    let mut circles: Vec<Circle> = Vec::new();
    for start in from.keys() {
        if circles.iter().any(|circle| circle.members.contains(*start)) {
            continue;
        }
        let reached = reach(&from, start);
        let members: BTreeSet<&str> = reached.into_iter().filter(|other| reach(&from, other).contains(start)).collect();
        let way = members.iter().filter_map(|member| way_around(&from, member)).min_by_key(Vec::len);
        if let Some(way) = way {
            circles.push(Circle { members: members.into_iter().map(str::to_owned).collect(), way });
        }
    }
    circles
}

fn reach<'a>(from: &BTreeMap<&'a str, Vec<&'a Edge>>, start: &str) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut open = vec![start];
    while let Some(at) = open.pop() {
        for edge in from.get(at).into_iter().flatten() {
            if reached.insert(edge.to.as_str()) {
                open.push(&edge.to);
            }
        }
    }
    reached
}

/// A shortest way from a member back to itself.
fn way_around(from: &BTreeMap<&str, Vec<&Edge>>, start: &str) -> Option<Vec<Edge>> {
    let mut seen = BTreeSet::new();
    let mut open: VecDeque<Vec<&Edge>> = from.get(start)?.iter().map(|edge| vec![*edge]).collect();
    while let Some(way) = open.pop_front() {
        let at = way.last()?.to.as_str();
        if at == start {
            return Some(way.into_iter().cloned().collect());
        }
        if seen.insert(at) {
            open.extend(from.get(at).into_iter().flatten().map(|edge| [way.as_slice(), &[*edge]].concat()));
        }
    }
    None
}
