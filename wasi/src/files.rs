//! The read-only files of a command: a tree that the names in the parameters spell out.
use crate::abi::Errno;

/// Longest path a guest may ask for.
pub(crate) const PATH_BYTES_MAX: u32 = 4096;

/// A directory's number in the tree.
pub(crate) type NodeIndex = usize;
/// The directory that is open from the start.
pub(crate) const ROOT: NodeIndex = 0;

/// All files and directories; the first is the root.
#[derive(Debug)]
pub(crate) struct Files {
    nodes: Vec<Node>,
}

#[derive(Debug)]
pub(crate) enum Node {
    File(Vec<u8>),
    Directory {
        parent: NodeIndex,
        /// In the order of the names.
        children: Vec<(String, NodeIndex)>,
    },
}

impl Default for Files {
    fn default() -> Self {
        Self {
            nodes: vec![directory(ROOT)],
        }
    }
}

fn directory(parent: NodeIndex) -> Node {
    Node::Directory {
        parent,
        children: Vec::new(),
    }
}

impl Files {
    /// Adds a file; folders in its name come into being. The error says what is wrong with the name.
    pub(crate) fn add(&mut self, name: &str, bytes: Vec<u8>) -> Result<(), &'static str> {
        let mut steps: Vec<&str> = name.split('/').collect();
        if steps.iter().any(|step| ["", ".", ".."].contains(step)) || name.contains('\0') {
            return Err(
                "a name is relative, such as data/words.txt, without empty steps, '.', '..' and zero bytes",
            );
        }
        if name.len() > PATH_BYTES_MAX as usize {
            return Err("its name is longer than 4096 bytes");
        }
        let last = steps.pop().unwrap_or_default();
        let mut at = ROOT;
        for step in steps {
            at = self
                .folder(at, step)
                .ok_or("a part of its name is a file already")?;
        }
        self.insert(at, last, Node::File(bytes))
            .ok_or("another file has this name as a folder")?;
        Ok(())
    }

    fn folder(&mut self, parent: NodeIndex, name: &str) -> Option<NodeIndex> {
        match self.child(parent, name) {
            Some(known) => matches!(self.node(known), Node::Directory { .. }).then_some(known),
            None => self.insert(parent, name, directory(parent)),
        }
    }

    /// None when the name is taken, or the parent is no directory.
    fn insert(&mut self, parent: NodeIndex, name: &str, node: Node) -> Option<NodeIndex> {
        let index = self.nodes.len();
        let Node::Directory { children, .. } = self.nodes.get_mut(parent)? else {
            return None;
        };
        let place = search(children, name).err()?;
        children.insert(place, (name.to_owned(), index));
        self.nodes.push(node);
        Some(index)
    }

    fn child(&self, parent: NodeIndex, name: &str) -> Option<NodeIndex> {
        match self.node(parent) {
            Node::Directory { children, .. } => named(children, name),
            Node::File(_) => None,
        }
    }

    /// A node; an index comes from this tree, so it is there.
    pub(crate) fn node(&self, index: NodeIndex) -> &Node {
        self.nodes.get(index).unwrap_or(&self.nodes[ROOT])
    }

    /// Follows a path from a directory. `..` above the root is refused, and so is a step below a file.
    pub(crate) fn find(&self, from: NodeIndex, path: &str) -> Result<NodeIndex, Errno> {
        if path.is_empty() {
            return Err(Errno::Noent);
        }
        if path.starts_with('/') {
            return Err(Errno::Notcapable);
        }
        path.split('/').try_fold(from, |at, step| self.step(at, step))
    }

    fn step(&self, at: NodeIndex, step: &str) -> Result<NodeIndex, Errno> {
        let Node::Directory { parent, children } = self.node(at) else {
            return Err(Errno::Notdir);
        };
        match step {
            "" | "." => Ok(at),
            ".." if at == ROOT => Err(Errno::Notcapable),
            ".." => Ok(*parent),
            name => named(children, name).ok_or(Errno::Noent),
        }
    }

    /// The entry at a place of a directory's listing: `.`, `..`, then its children by name.
    pub(crate) fn entry(&self, folder: NodeIndex, place: u64) -> Option<(&str, NodeIndex)> {
        let Node::Directory { parent, children } = self.node(folder) else {
            return None;
        };
        match place {
            0 => Some((".", folder)),
            1 => Some(("..", *parent)),
            _ => {
                let place = usize::try_from(place - 2).ok()?;
                let (name, child) = children.get(place)?;
                Some((name, *child))
            }
        }
    }
}

fn search(children: &[(String, NodeIndex)], name: &str) -> Result<usize, usize> {
    children.binary_search_by(|(known, _)| known.as_str().cmp(name))
}

fn named(children: &[(String, NodeIndex)], name: &str) -> Option<NodeIndex> {
    let place = search(children, name).ok()?;
    children.get(place).map(|&(_, index)| index)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> Files {
        let mut files = Files::default();
        files.add("b/c.txt", b"c".to_vec()).unwrap();
        files.add("a", b"a".to_vec()).unwrap();
        files
    }

    #[test]
    fn paths_are_followed_and_never_leave_the_root() {
        let files = tree();
        for (path, found) in [("a", "a"), ("./b/../a", "a"), ("b//c.txt", "c")] {
            let Node::File(bytes) = files.node(files.find(ROOT, path).unwrap()) else {
                panic!("{path} is a file")
            };
            assert_eq!(bytes, found.as_bytes(), "{path}");
        }
        for (path, errno) in [
            ("", Errno::Noent),
            ("x", Errno::Noent),
            ("a/x", Errno::Notdir),
            ("a/", Errno::Notdir),
            ("..", Errno::Notcapable),
            ("b/../..", Errno::Notcapable),
            ("/a", Errno::Notcapable),
        ] {
            assert_eq!(files.find(ROOT, path), Err(errno), "{path}");
        }
    }

    #[test]
    fn names_that_cannot_be_laid_out_are_refused() {
        let mut files = tree();
        for name in ["", "/a", "x/", "../x", "a/b", "b", "a", "x\0"] {
            assert!(files.add(name, vec![]).is_err(), "{name:?}");
        }
        assert!(files.add("b/d/e", vec![]).is_ok());
    }

    #[test]
    fn a_listing_is_in_the_order_of_the_names() {
        let files = tree();
        let names: Vec<&str> = (0..)
            .map_while(|place| Some(files.entry(ROOT, place)?.0))
            .collect();
        assert_eq!(names, [".", "..", "a", "b"]);
        assert_eq!(files.entry(ROOT, u64::MAX), None);
    }
}
