//! The values of one function that hold floats, how they flow, and where they are made canonical.
use std::ops::BitOr;

/// What may flow into a value: a set of these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Class(u8);

impl Class {
    /// Only numbers and canonical NaNs.
    pub(super) const NUMBER: Self = Self(0);
    /// Bits that are the same everywhere and must stay as they are.
    pub(super) const EXACT: Self = Self(1);
    /// Results of arithmetic on f32, or on lanes of it.
    pub(super) const OPEN_32: Self = Self(2);
    /// Results of arithmetic on f64, or on lanes of it.
    pub(super) const OPEN_64: Self = Self(4);
    /// A sign was changed on the way, so the canonical NaN must have been there before.
    pub(super) const SIGNED: Self = Self(8);

    /// Vectors that were made canonical as lanes of f32: to do so again changes nothing.
    const CANONICAL_32: Self = Self(16);
    /// The same as lanes of f64.
    const CANONICAL_64: Self = Self(32);

    pub(super) fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    fn open(self) -> Self {
        Self(self.0 & (Self::OPEN_32.0 | Self::OPEN_64.0))
    }

    fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl BitOr for Class {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// The width of the lanes that an operation reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Width {
    W32,
    W64,
}

impl Width {
    /// What arithmetic of this width leaves open.
    pub(super) fn open(self) -> Class {
        match self {
            Self::W32 => Class::OPEN_32,
            Self::W64 => Class::OPEN_64,
        }
    }

    /// What is left when that was made canonical.
    fn canonical(self) -> Class {
        match self {
            Self::W32 => Class::CANONICAL_32,
            Self::W64 => Class::CANONICAL_64,
        }
    }

    fn other(self) -> Self {
        match self {
            Self::W32 => Self::W64,
            Self::W64 => Self::W32,
        }
    }
}

/// The types that hold floats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    F32,
    F64,
    V128,
}

/// A value. 0 stands for all that hold no floats.
pub(super) type NodeId = u32;
/// The value that holds no floats.
pub(super) const NO_FLOAT: NodeId = 0;

#[derive(Clone, Copy, Debug)]
struct Node {
    kind: Kind,
    /// What arises here, not what flows in.
    own: Class,
    /// Behind the instruction that leaves the value on top of the stack; none for locals and such.
    pushed_at: Option<usize>,
    /// Its bits are looked at.
    seen: bool,
    /// It is read as lanes of these widths.
    read: Class,
}

#[derive(Clone, Copy, Debug)]
struct Edge {
    from: NodeId,
    to: NodeId,
    /// Lanes of this width are moved, so what is open at the other one is looked at before.
    lanes: Option<Width>,
}

/// A value to be made canonical behind the instruction at `at`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Repair {
    pub(super) at: usize,
    pub(super) kind: Kind,
    pub(super) width: Width,
}

/// All values of a function.
#[derive(Debug)]
pub(super) struct Graph {
    nodes: Vec<Node>,
    edges: Vec<Edge>,
}

impl Graph {
    pub(super) fn new() -> Self {
        let none = Node {
            kind: Kind::F32,
            own: Class::NUMBER,
            pushed_at: None,
            seen: false,
            read: Class::NUMBER,
        };
        Self {
            nodes: vec![none],
            edges: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, kind: Kind, own: Class, pushed_at: Option<usize>) -> NodeId {
        self.nodes.push(Node {
            kind,
            own,
            pushed_at,
            seen: false,
            read: Class::NUMBER,
        });
        u32::try_from(self.nodes.len() - 1).unwrap_or(NO_FLOAT)
    }

    /// Whether there is any value that holds floats.
    pub(super) fn has_values(&self) -> bool {
        self.nodes.len() > 1
    }

    pub(super) fn kind(&self, node: NodeId) -> Kind {
        self.nodes[node as usize].kind
    }

    pub(super) fn flow(&mut self, from: NodeId, to: NodeId) {
        self.edge(from, to, None);
    }

    pub(super) fn flow_lanes(&mut self, from: NodeId, to: NodeId, lanes: Width) {
        self.edge(from, to, Some(lanes));
    }

    fn edge(&mut self, from: NodeId, to: NodeId, lanes: Option<Width>) {
        if from != NO_FLOAT && to != NO_FLOAT && from != to {
            self.edges.push(Edge { from, to, lanes });
        }
    }

    /// The bits of a value are looked at.
    pub(super) fn see(&mut self, node: NodeId) {
        self.nodes[node as usize].seen = true;
    }

    /// A value is read as lanes of a width.
    pub(super) fn read(&mut self, node: NodeId, width: Width) {
        let node = &mut self.nodes[node as usize];
        node.read = node.read | width.open();
    }

    /// What must be made canonical, so that nobody sees open bits.
    pub(super) fn repairs(mut self) -> Vec<Repair> {
        let open = Class::OPEN_32 | Class::OPEN_64;
        if !self.nodes.iter().any(|node| node.own.has(open)) {
            return Vec::new();
        }
        let mut repairs = Vec::new();
        let at_source = self.mixed_sources();
        for (node, _) in self
            .nodes
            .iter_mut()
            .zip(&at_source)
            .filter(|(_, at_source)| **at_source)
        {
            let repair = node.repair(node.own);
            // A canonical f64 is no canonical pair of f32.
            let left = repair.filter(|repair| repair.kind == Kind::V128);
            node.own = left.map_or(Class::NUMBER, |repair| repair.width.canonical());
            repairs.extend(repair);
        }
        let classes = self.classes();
        for (node, class) in self.nodes.iter().zip(&classes).skip(1) {
            if node.is_looked_at(*class) {
                repairs.extend(node.repair(*class));
            }
        }
        repairs.sort_by_key(|repair| repair.at);
        repairs
    }

    /// Which nodes hold arithmetic that flows to where it cannot be told from other bits.
    fn mixed_sources(&self) -> Vec<bool> {
        let classes = self.classes();
        let mixed =
            |(node, class): (&Node, &Class)| node.is_looked_at(*class) && node.repair(*class).is_none();
        let mut reached: Vec<bool> = self.nodes.iter().zip(&classes).map(mixed).collect();
        let into = Neighbours::new(
            self.nodes.len(),
            self.edges.iter().map(|edge| (edge.to, edge.from)),
        );
        let mut waiting = ids(reached.iter().copied());
        while let Some(node) = waiting.pop() {
            for &from in into.of(node) {
                if !std::mem::replace(&mut reached[from as usize], true) {
                    waiting.push(from);
                }
            }
        }
        let open = Class::OPEN_32 | Class::OPEN_64;
        let source = |(reached, node): (bool, &Node)| reached && node.own.has(open);
        reached.into_iter().zip(&self.nodes).map(source).collect()
    }

    /// What may flow into each node.
    fn classes(&self) -> Vec<Class> {
        let mut classes: Vec<Class> = self.nodes.iter().map(|node| node.own).collect();
        let numbered = self.edges.iter().zip(0u32..);
        let out = Neighbours::new(
            self.nodes.len(),
            numbered.map(|(edge, number)| (edge.from, number)),
        );
        let mut waiting = ids(classes.iter().map(|class| *class != Class::NUMBER));
        while let Some(node) = waiting.pop() {
            for &number in out.of(node) {
                let edge = self.edges[number as usize];
                let before = classes[edge.to as usize];
                let joined = before | edge.carries(classes[node as usize]);
                if joined != before {
                    classes[edge.to as usize] = joined;
                    waiting.push(edge.to);
                }
            }
        }
        classes
    }
}

/// The numbers of those that are marked.
fn ids(marked: impl Iterator<Item = bool>) -> Vec<NodeId> {
    (0..)
        .zip(marked)
        .filter_map(|(id, marked)| marked.then_some(id))
        .collect()
}

impl Edge {
    fn carries(self, class: Class) -> Class {
        let Some(width) = self.lanes else { return class };
        let other = width.other().open() | width.other().canonical();
        if class.has(other) {
            class.without(other) | Class::EXACT
        } else {
            class
        }
    }
}

impl Node {
    fn is_looked_at(&self, class: Class) -> bool {
        let other = |width: Width| self.read.has(width.open()) && class.has(width.other().open());
        (self.seen && class.has(class.open())) || other(Width::W32) || other(Width::W64)
    }

    /// How the value is made canonical where it is pushed, if all that flows in may be.
    fn repair(&self, class: Class) -> Option<Repair> {
        let is = |width: Width| class.without(width.canonical()) == width.open();
        let width = [Width::W32, Width::W64].into_iter().find(|width| is(*width))?;
        Some(Repair {
            at: self.pushed_at?,
            kind: self.kind,
            width,
        })
    }
}

/// For each node its neighbours, in one list.
struct Neighbours {
    starts: Vec<usize>,
    list: Vec<u32>,
}

impl Neighbours {
    /// From pairs of a node and what belongs to it.
    fn new(nodes: usize, pairs: impl Iterator<Item = (NodeId, u32)> + Clone) -> Self {
        let mut starts = vec![0; nodes + 1];
        for (node, _) in pairs.clone() {
            starts[node as usize + 1] += 1;
        }
        for node in 0..nodes {
            starts[node + 1] += starts[node];
        }
        let mut next = starts.clone();
        let mut list = vec![0; starts[nodes]];
        for (node, neighbour) in pairs {
            list[next[node as usize]] = neighbour;
            next[node as usize] += 1;
        }
        Self { starts, list }
    }

    fn of(&self, node: NodeId) -> &[u32] {
        &self.list[self.starts[node as usize]..self.starts[node as usize + 1]]
    }
}
