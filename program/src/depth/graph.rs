//! The call graph: which functions lie on a cycle, and the heaviest way through the others.

/// Who calls whom. Nodes from 0 are functions; others without weight stand between them.
#[derive(Debug)]
pub(super) struct Calls {
    weights: Vec<u32>,
    callees: Vec<Vec<u32>>,
}

impl Calls {
    pub(super) fn new(functions: usize, weights: impl Iterator<Item = u32>) -> Self {
        Self {
            weights: weights.collect(),
            callees: vec![Vec::new(); functions],
        }
    }

    /// A node without weight.
    pub(super) fn add_free(&mut self) -> u32 {
        self.weights.push(0);
        self.callees.push(Vec::new());
        u32::try_from(self.callees.len() - 1).unwrap_or(u32::MAX)
    }

    pub(super) fn call(&mut self, caller: u32, callee: u32) {
        self.callees[caller as usize].push(callee);
    }

    /// Which nodes lie on a cycle, and the weight of the heaviest way if those weigh nothing.
    /// Strongly connected components by Tarjan (1972), without recursion of our own.
    pub(super) fn cycles(&self) -> (Vec<bool>, u64) {
        let mut search = Search::new(self.callees.len());
        for root in 0..self.callees.len() {
            if search.order[root] == UNSEEN {
                search.visit(root, self);
            }
        }
        let heaviest = search.below.iter().copied().max().unwrap_or(0);
        (search.in_cycle, heaviest)
    }
}

const UNSEEN: usize = usize::MAX;

struct Search {
    /// When each node was first seen.
    order: Vec<usize>,
    /// The earliest node that it leads back to.
    low: Vec<usize>,
    /// Seen, and its component is not complete.
    open: Vec<usize>,
    is_open: Vec<bool>,
    in_cycle: Vec<bool>,
    /// The heaviest way that begins at a node of a complete component.
    below: Vec<u64>,
    seen: usize,
}

impl Search {
    fn new(nodes: usize) -> Self {
        Self {
            order: vec![UNSEEN; nodes],
            low: vec![UNSEEN; nodes],
            open: Vec::new(),
            is_open: vec![false; nodes],
            in_cycle: vec![false; nodes],
            below: vec![0; nodes],
            seen: 0,
        }
    }

    fn enter(&mut self, node: usize) {
        self.order[node] = self.seen;
        self.low[node] = self.seen;
        self.seen += 1;
        self.open.push(node);
        self.is_open[node] = true;
    }

    fn visit(&mut self, root: usize, calls: &Calls) {
        let mut way = vec![(root, 0)];
        self.enter(root);
        while let Some((node, next)) = way.last_mut() {
            let node = *node;
            if let Some(&callee) = calls.callees[node].get(*next) {
                *next += 1;
                let callee = callee as usize;
                if self.order[callee] == UNSEEN {
                    self.enter(callee);
                    way.push((callee, 0));
                } else if self.is_open[callee] {
                    self.low[node] = self.low[node].min(self.order[callee]);
                }
                continue;
            }
            way.pop();
            if let Some((caller, _)) = way.last() {
                self.low[*caller] = self.low[*caller].min(self.low[node]);
            }
            if self.low[node] == self.order[node] {
                self.complete(node, calls);
            }
        }
    }

    /// Takes the component that began with `first` off the open nodes.
    fn complete(&mut self, first: usize, calls: &Calls) {
        let from = self.open.iter().rposition(|node| *node == first).unwrap_or(0);
        let component = self.open.split_off(from);
        let calls_itself = |node: usize| calls.callees[node].iter().any(|callee| *callee as usize == node);
        let cyclic = component.len() > 1 || calls_itself(first);
        let outside = component.iter().flat_map(|node| &calls.callees[*node]);
        let deepest = outside
            .map(|callee| self.below[*callee as usize])
            .max()
            .unwrap_or(0);
        for &node in &component {
            self.is_open[node] = false;
            self.in_cycle[node] = cyclic;
        }
        let own = if cyclic {
            0
        } else {
            u64::from(calls.weights[first])
        };
        component
            .iter()
            .for_each(|node| self.below[*node] = deepest + own);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cycles_are_found_and_the_rest_is_weighed() {
        // 0 -> 1 -> 2 -> 1, 2 -> 3 -> 4, 5 -> 5
        let mut calls = Calls::new(6, [10, 20, 30, 40, 50, 60].into_iter());
        for (caller, callee) in [(0, 1), (1, 2), (2, 1), (2, 3), (3, 4), (5, 5)] {
            calls.call(caller, callee);
        }
        let (in_cycle, heaviest) = calls.cycles();
        assert_eq!(in_cycle, [false, true, true, false, false, true]);
        assert_eq!(heaviest, 10 + 40 + 50);
    }
}
