//! What Erlang and Elixir programs are made of: `ebin/*.app` of installed applications (erlang.org, app(4)), and `mix.lock` and
//! `rebar.lock` of sources in, packages out.

use plimsoll_model::{FileEntry, Note, NoteKind, Package, PackageKind};

use super::{Catalog, Cataloger, Input, Want, language};
use crate::purl;

/// Hex, and the applications that come with Erlang/OTP and Elixir themselves.
pub(super) struct Hex;

/// Applications of Erlang/OTP and of Elixir: no package of Hex, even if one has their name.
const OTP: &[&str] = &[
    "asn1",
    "common_test",
    "compiler",
    "crypto",
    "debugger",
    "dialyzer",
    "diameter",
    "edoc",
    "eex",
    "eldap",
    "elixir",
    "erl_docgen",
    "erl_interface",
    "erts",
    "et",
    "eunit",
    "ex_unit",
    "ftp",
    "hipe",
    "iex",
    "inets",
    "jinterface",
    "kernel",
    "logger",
    "megaco",
    "mix",
    "mnesia",
    "observer",
    "odbc",
    "os_mon",
    "parsetools",
    "public_key",
    "reltool",
    "runtime_tools",
    "sasl",
    "snmp",
    "ssh",
    "ssl",
    "stdlib",
    "syntax_tools",
    "tftp",
    "tools",
    "wx",
    "xmerl",
];

impl Cataloger for Hex {
    fn name(&self) -> &'static str {
        "hex"
    }

    fn wants(&self, path: &str) -> Option<Want> {
        match Format::of(path)? {
            Format::Application => Some(Want::Newest),
            Format::Mix | Format::Rebar => Some(Want::OfSources),
        }
    }

    fn catalog(&self, input: &Input<'_>) -> Catalog {
        let mut catalog = Catalog::default();
        for (entry, format, text) in language::texts(input.tree, Format::of) {
            let locked = match format {
                Format::Mix => mix(&text),
                Format::Rebar => rebar(&text),
                Format::Application => match application(&text) {
                    // Vsn may be a term that only the build fills in.
                    Some((_, "")) => continue,
                    Some(found) => vec![found],
                    None => {
                        let detail = "application has no name or version";
                        catalog.notes.push(Note::new(NoteKind::Unreadable, &entry.path, detail));
                        continue;
                    }
                },
            };
            catalog
                .packages
                .extend(locked.into_iter().map(|(name, version)| package(name, version, entry)));
        }
        catalog
    }
}

#[derive(Clone, Copy)]
enum Format {
    Application,
    Mix,
    Rebar,
}

impl Format {
    fn of(path: &str) -> Option<Self> {
        let (folder, name) = path.rsplit_once('/')?;
        match name {
            "mix.lock" => Some(Self::Mix),
            "rebar.lock" => Some(Self::Rebar),
            _ if name.ends_with(".app") && folder.ends_with("/ebin") => Some(Self::Application),
            _ => None,
        }
    }
}

fn package(name: &str, version: &str, entry: &FileEntry) -> Package {
    let kind = if OTP.contains(&name) { "otp" } else { "hex" };
    let purl = purl::of_library(kind, &[], &name.to_lowercase(), version);
    language::package(PackageKind::Hex, name, version, purl, entry)
}

/// `{application, NAME, [… {vsn, "VERSION"} …]}`.
fn application(text: &str) -> Option<(&str, &str)> {
    let rest = after(text, "application")?.trim_start().strip_prefix(',')?.trim_start();
    let end = rest.find([',', ' ', '\n', '\t'])?;
    let name = rest[..end].trim_matches('\'');
    let rest = after(rest, "vsn")?.trim_start().strip_prefix(',')?.trim_start();
    let version = rest.strip_prefix('"').and_then(|rest| rest.split_once('"'));
    (!name.is_empty()).then_some((name, version.map_or("", |(version, _)| version)))
}

/// What follows the first tuple that begins with this atom.
fn after<'a>(text: &'a str, atom: &str) -> Option<&'a str> {
    let mut tuples = text.split('{').skip(1);
    let start = tuples.find_map(|tuple| tuple.trim_start().strip_prefix(atom))?;
    // The rest of the text, not of the tuple alone.
    let offset = start.as_ptr() as usize - text.as_ptr() as usize;
    Some(&text[offset..])
}

/// `"plug": {:hex, :plug, "1.14.2", …}`; what comes from git or a folder is of no package.
fn mix(text: &str) -> Vec<(&str, &str)> {
    text.split("{:hex,").skip(1).filter_map(mix_package).collect()
}

fn mix_package(tuple: &str) -> Option<(&str, &str)> {
    let (name, rest) = tuple.trim_start().strip_prefix(':')?.split_once(',')?;
    let (version, _) = rest.trim_start().strip_prefix('"')?.split_once('"')?;
    Some((name.trim_matches('"'), version))
}

/// `{<<"cowboy">>,{pkg,<<"cowboy">>,<<"2.9.0">>},0}`.
fn rebar(text: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    for tuple in text.split("{pkg,").skip(1) {
        let mut binaries = tuple.split("<<\"").skip(1).map(|rest| rest.split("\">>").next());
        if let (Some(Some(name)), Some(Some(version))) = (binaries.next(), binaries.next()) {
            found.push((name, version));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn applications_name_themselves_however_they_are_laid_out() {
        for (text, expected) in [
            (
                "{application,cowboy,[{description,\"x\"},{vsn,\"2.9.0\"}]}.",
                Some(("cowboy", "2.9.0")),
            ),
            (
                "%% {\n{ application , 'my-app' ,\n [ {vsn , \"1\"} ] }.",
                Some(("my-app", "1")),
            ),
            ("{application, a, [{vsn, git}]}.", Some(("a", ""))),
            ("{application, a, []}.", None),
            ("{application", None),
            ("", None),
        ] {
            assert_eq!(application(text), expected, "{text}");
        }
    }

    #[test]
    fn only_what_comes_from_hex_is_locked() {
        let text = "%{\n  \"a\": {:hex, :a_b, \"1.0.0\", \"ff\", [:mix], [{:plug, \"~> 1.0\", [hex: :plug]}], \"hexpm\"},\n  \
                    \"g\": {:git, \"https://x\", \"0a\", []},\n}";
        assert_eq!(mix(text), [("a_b", "1.0.0")]);
        let text =
            "{\"1.2.0\",\n[{<<\"a\">>,{pkg,<<\"a_b\">>,<<\"2.9.0\">>},0},\n {<<\"g\">>,{git,\"x\",{ref,\"0a\"}},0}]}.";
        assert_eq!(rebar(text), [("a_b", "2.9.0")]);
    }
}
