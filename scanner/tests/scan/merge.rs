//! Layers on layers: cases by name, then a law against a model that is written the slow and obvious way.

use std::collections::{BTreeMap, VecDeque};

use proptest::prelude::*;

use crate::builder::{Blob, Layer, file, incomplete, listing, oci, paths};

fn check(layers: Vec<Layer>, expected: &[&str]) {
    let blobs: Vec<Blob> = layers.into_iter().map(|layer| Blob::plain(&layer.tar())).collect();
    let scan = oci(&blobs).scan().unwrap();
    assert_eq!(paths(&scan), expected);
}

#[test]
fn a_whiteout_removes_a_file_or_a_whole_folder_below_only() {
    check(
        vec![
            Layer::new().file("a/b/c", "1").file("a/d", "2").file("ab", "3"),
            Layer::new().file("a/.wh.b", "").file(".wh.ab", "").file("a/e", "4"),
        ],
        &["/a/d", "/a/e"],
    );
    // What the layer itself brings stays, wherever in the archive the whiteout is.
    check(
        vec![
            Layer::new().file("a/old", "1"),
            Layer::new().file("a/new", "2").file(".wh.a", "").file("a/newer", "3"),
        ],
        &["/a/new", "/a/newer"],
    );
}

#[test]
fn an_opaque_folder_hides_all_below_but_its_own_layers_files() {
    check(
        vec![
            Layer::new()
                .folder("a")
                .file("a/old", "1")
                .file("a/deep/old", "1")
                .file("b", "2"),
            Layer::new().folder("a").file("a/new", "3").file("a/.wh..wh..opq", ""),
            Layer::new().file("a/third", "4").file("a/.wh..wh.aufs", ""),
        ],
        &["/a", "/a/new", "/a/third", "/b"],
    );
}

#[test]
fn kinds_replace_each_other() {
    check(
        vec![
            Layer::new()
                .file("a/b", "1")
                .file("c", "2")
                .folder("d")
                .file("d/e", "3"),
            Layer::new().file("a", "file now").file("c/f", "folder now").folder("d"),
        ],
        &["/a", "/c/f", "/d", "/d/e"],
    );
}

#[test]
fn a_later_layer_writes_through_a_link_of_an_earlier_one() {
    let layers = vec![
        Layer::new().folder("usr/bin").symlink("bin", "usr/bin"),
        Layer::new()
            .file("bin/tool", "1")
            .hard_link("usr/bin/other", "bin/tool"),
    ];
    let blobs: Vec<Blob> = layers.into_iter().map(|layer| Blob::gzip(&layer.tar())).collect();
    let scan = oci(&blobs).scan().unwrap();
    assert_eq!(paths(&scan), ["/bin", "/usr/bin", "/usr/bin/other", "/usr/bin/tool"]);
    assert_eq!(listing(&scan)["/usr/bin/other"], file(b"1"));
    assert_eq!(scan.tree.resolve("/bin/other").unwrap().path, "/usr/bin/other");
}

#[test]
fn hard_links_have_their_targets_facts_also_across_layers() {
    let script = "#!/bin/sh\nexec true\n";
    let layers = [
        Layer::new().program("bin/a", 0o755, script).hard_link("bin/b", "bin/a"),
        Layer::new().hard_link("bin/c", "/bin/a").file(".wh.bin", ""),
        Layer::new().hard_link("bin/d", "bin/c"),
    ];
    let blobs: Vec<Blob> = layers.into_iter().map(|layer| Blob::plain(&layer.tar())).collect();
    let scan = oci(&blobs[..1]).scan().unwrap();
    let linked = scan.tree.get("/bin/b").unwrap();
    assert_eq!(linked.shebang.as_deref(), Some("/bin/sh"));
    assert_eq!(linked.size_bytes, script.len() as u64);
    assert_eq!(scan.tree.content("/bin/b"), Some(script.as_bytes()));
    // The second layer removed what it links to.
    let scan = oci(&blobs).scan().unwrap();
    assert_eq!(paths(&scan), Vec::<&str>::new());
    assert_eq!(incomplete(&scan.notes).len(), 2, "{:?}", scan.notes);
}

#[test]
fn link_loops_end() {
    let layers = [
        Layer::new()
            .symlink("a", "b")
            .symlink("b", "a")
            .symlink("self", "self")
            .symlink("up", "../../up/x"),
        Layer::new()
            .file("a/x", "1")
            .file("self/y", "2")
            .hard_link("h", "a/x")
            .file("up/.wh.z", ""),
    ];
    let blobs: Vec<Blob> = layers.into_iter().map(|layer| Blob::plain(&layer.tar())).collect();
    let scan = oci(&blobs).scan().unwrap();
    assert_eq!(paths(&scan), ["/a", "/b", "/self", "/up"]);
    assert!(scan.tree.resolve("/a").is_none() && scan.tree.resolve("/up/q").is_none());
    assert!(incomplete(&scan.notes).len() >= 3, "{:?}", scan.notes);
}

/// One member of a layer, over few names so that they meet.
#[derive(Debug, Clone)]
enum Step {
    File(String, u8),
    Folder(String),
    Symlink(String, String),
    HardLink(String, String),
    Whiteout(String),
    Opaque(String),
}

fn path() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(vec!["a", "b", "c"]), 1..4).prop_map(|parts| parts.join("/"))
}

fn link_target() -> impl Strategy<Value = String> {
    prop_oneof![
        path(),
        path().prop_map(|path| format!("/{path}")),
        path().prop_map(|path| format!("../{path}")),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (path(), any::<u8>()).prop_map(|(path, content)| Step::File(path, content)),
        3 => path().prop_map(Step::Folder),
        2 => (path(), link_target()).prop_map(|(path, target)| Step::Symlink(path, target)),
        2 => (path(), path()).prop_map(|(path, target)| Step::HardLink(path, target)),
        2 => path().prop_map(Step::Whiteout),
        1 => path().prop_map(Step::Opaque),
    ]
}

fn tar(steps: &[Step]) -> Vec<u8> {
    let split = |path: &str| match path.rsplit_once('/') {
        Some((folder, name)) => (format!("{folder}/"), name.to_owned()),
        None => (String::new(), path.to_owned()),
    };
    let mut layer = Layer::new();
    for step in steps {
        layer = match step {
            Step::File(path, content) => layer.file(path, [*content]),
            Step::Folder(path) => layer.folder(path),
            Step::Symlink(path, target) => layer.symlink(path, target),
            Step::HardLink(path, target) => layer.hard_link(path, target),
            Step::Whiteout(path) => {
                let (folder, name) = split(path);
                layer.file(&format!("{folder}.wh.{name}"), "")
            }
            Step::Opaque(path) => layer.file(&format!("{path}/.wh..wh..opq"), ""),
        };
    }
    layer.tar()
}

/// A file system as a tree of nodes.
#[derive(Debug, Clone)]
enum Node {
    File(u8),
    Link(String),
    /// Whether an archive named it; the others are there because something is in them.
    Folder(bool, BTreeMap<String, Node>),
}

#[derive(Debug)]
struct Model(Node);

impl Model {
    fn new() -> Self {
        Self(Node::Folder(false, BTreeMap::new()))
    }

    fn at(&self, path: &[String]) -> Option<&Node> {
        path.iter().try_fold(&self.0, |node, name| match node {
            Node::Folder(_, children) => children.get(name),
            _ => None,
        })
    }

    /// Follows all links of a path that names a folder.
    fn follow(&self, path: &str) -> Option<Vec<String>> {
        let mut todo: VecDeque<String> = path.split('/').map(str::to_owned).collect();
        let mut real: Vec<String> = Vec::new();
        let mut links = 0;
        while let Some(name) = todo.pop_front() {
            if name == ".." {
                real.pop();
                continue;
            }
            if name.is_empty() {
                continue;
            }
            real.push(name);
            if let Some(Node::Link(target)) = self.at(&real) {
                links += 1;
                if links > 40 {
                    return None;
                }
                real.pop();
                if target.starts_with('/') {
                    real.clear();
                }
                for part in target.split('/').rev() {
                    todo.push_front(part.to_owned());
                }
            }
        }
        Some(real)
    }

    fn place(&self, path: &str) -> Option<Vec<String>> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let mut real = self.follow(folder)?;
        real.push(name.to_owned());
        Some(real)
    }

    fn put(&mut self, path: &[String], node: Node) {
        let mut here = &mut self.0;
        for name in &path[..path.len() - 1] {
            let Node::Folder(_, children) = here else {
                unreachable!()
            };
            let child = children
                .entry(name.clone())
                .or_insert(Node::Folder(false, BTreeMap::new()));
            if !matches!(child, Node::Folder(..)) {
                *child = Node::Folder(false, BTreeMap::new());
            }
            here = child;
        }
        let Node::Folder(_, children) = here else {
            unreachable!()
        };
        let name = path.last().unwrap().clone();
        match (children.get_mut(&name), node) {
            (Some(Node::Folder(named, _)), Node::Folder(..)) => *named = true,
            (_, node) => drop(children.insert(name, node)),
        }
    }

    fn parent_of(&mut self, path: &[String]) -> Option<&mut BTreeMap<String, Node>> {
        let mut here = &mut self.0;
        for name in &path[..path.len().saturating_sub(1)] {
            let Node::Folder(_, children) = here else { return None };
            here = children.get_mut(name)?;
        }
        match here {
            Node::Folder(_, children) => Some(children),
            _ => None,
        }
    }

    fn apply(&mut self, steps: &[Step]) {
        for step in steps {
            match step {
                Step::Whiteout(path) => {
                    if let Some(real) = self.place(path)
                        && let Some(children) = self.parent_of(&real)
                    {
                        children.remove(real.last().unwrap());
                    }
                }
                Step::Opaque(path) => {
                    if let Some(real) = self.follow(path)
                        && let Some(name) = real.last()
                        && let Some(Node::Folder(_, below)) =
                            self.parent_of(&real).and_then(|children| children.get_mut(name))
                    {
                        below.clear();
                    } else if self.follow(path).is_some_and(|real| real.is_empty()) {
                        *self = Self::new();
                    }
                }
                _ => {}
            }
        }
        for step in steps {
            let (path, node) = match step {
                Step::File(path, content) => (path, Node::File(*content)),
                Step::Folder(path) => (path, Node::Folder(true, BTreeMap::new())),
                Step::Symlink(path, target) => (path, Node::Link(target.clone())),
                Step::HardLink(path, target) => {
                    let (Some(real), Some(source)) = (self.place(path), self.place(target)) else {
                        continue;
                    };
                    match self.at(&source) {
                        Some(node) if source != real && !matches!(node, Node::Folder(..)) => (path, node.clone()),
                        _ => continue,
                    }
                }
                _ => continue,
            };
            if let Some(real) = self.place(path).filter(|real| !real.is_empty()) {
                self.put(&real, node);
            }
        }
    }

    fn listing(&self) -> BTreeMap<String, String> {
        fn walk(node: &Node, path: &str, out: &mut BTreeMap<String, String>) {
            match node {
                Node::File(content) => drop(out.insert(path.to_owned(), file(&[*content]))),
                Node::Link(target) => drop(out.insert(path.to_owned(), format!("link:{target}"))),
                Node::Folder(named, children) => {
                    if *named {
                        out.insert(path.to_owned(), "directory".to_owned());
                    }
                    for (name, child) in children {
                        walk(child, &format!("{path}/{name}"), out);
                    }
                }
            }
        }
        let mut out = BTreeMap::new();
        walk(&self.0, "", &mut out);
        out
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn merging_agrees_with_the_model(layers in prop::collection::vec(prop::collection::vec(step(), 0..9), 1..4)) {
        let mut model = Model::new();
        let mut blobs = Vec::new();
        for steps in &layers {
            model.apply(steps);
            blobs.push(Blob::plain(&tar(steps)));
        }
        let scan = oci(&blobs).scan().unwrap();
        prop_assert_eq!(listing(&scan), model.listing());
    }
}
