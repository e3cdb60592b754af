//! A low-level runtime's command line in, what it was told to run out: which container, from which bundle.
//!
//! It is known before the container's cgroup is made, and still when the container is gone: a short one ends before
//! anybody can read the state that its runtime kept.

use std::path::Path;

/// What a runtime was told to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Order {
    /// The container's id, as whoever gave the order chose it.
    pub(crate) container_id: String,
    /// Folder of its bundle; absolute.
    pub(crate) bundle: String,
    /// Folder in which the runtime was told to keep its state; `None` when it chose for itself.
    pub(crate) state_folder: Option<String>,
}

/// Programs with runc's command line: what starts containers takes any of them for any other.
const RUNTIMES: &[&str] = &["runc", "crun", "youki"];

impl Order {
    /// The order that a process with this program, these arguments and this working directory carries out; `None` when it is
    /// no runtime, or does something else. It is to be trusted as far as its user is.
    pub(crate) fn of(program: &str, args: &[String], cwd: &str) -> Option<Self> {
        if !RUNTIMES.contains(&program) {
            return None;
        }
        let words = args.get(1..)?;
        let at = words
            .iter()
            .position(|word| matches!(word.as_str(), "run" | "create"))?;
        let (globals, command) = words.split_at(at);
        let (container_id, options) = command.split_last().filter(|(_, options)| !options.is_empty())?;
        let absolute = |path: &str| {
            let path = Path::new(cwd).join(path);
            path.is_absolute().then(|| path.display().to_string())
        };
        Some(Self {
            container_id: container_id.clone(),
            bundle: absolute(value(options, &["bundle", "b"]).unwrap_or_default())?,
            state_folder: value(globals, &["root"]).and_then(absolute),
        })
    }
}

/// `--name VALUE` and `--name=VALUE`, with one dash or two (urfave/cli, which runc reads its arguments with).
fn value<'w>(words: &'w [String], names: &[&str]) -> Option<&'w str> {
    words.iter().zip(1..).find_map(|(word, next)| {
        let option = word.strip_prefix('-')?;
        let option = option.strip_prefix('-').unwrap_or(option);
        match option.split_once('=') {
            Some((name, value)) => names.contains(&name).then_some(value),
            None => words.get(next).filter(|_| names.contains(&option)).map(String::as_str),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(program: &str, line: &str) -> Option<(String, String, Option<String>)> {
        let args: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let order = Order::of(program, &args, "/home/ada")?;
        Some((order.container_id, order.bundle, order.state_folder))
    }

    #[test]
    fn a_runtimes_command_line_says_which_container_it_runs() {
        let expected =
            |bundle: &str, state: Option<&str>| Some(("web".to_owned(), bundle.to_owned(), state.map(str::to_owned)));
        for (line, expected) in [
            ("runc run web", expected("/home/ada/", None)),
            ("runc run -d -b /b --pid-file p web", expected("/b", None)),
            (
                "/usr/sbin/runc --debug create --bundle=b web",
                expected("/home/ada/b", None),
            ),
            (
                "runc --root /run/r --log /l.json --log-format json create --bundle /b --pid-file /b/p web",
                expected("/b", Some("/run/r")),
            ),
            (
                "runc --root=state run web",
                expected("/home/ada/", Some("/home/ada/state")),
            ),
            ("runc init", None),
            ("runc run", None),
            ("runc delete --force web", None),
            ("runc exec web ls", None),
            ("runc", None),
        ] {
            assert_eq!(order("runc", line), expected, "{line}");
        }
    }

    #[test]
    fn only_runtimes_take_orders() {
        assert!(order("crun", "crun run web").is_some());
        assert_eq!(order("podman", "podman run web"), None);
        assert_eq!(order("npm", "npm run web"), None);
    }
}
