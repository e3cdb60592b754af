//! One pack's YAML in, a checked [`Pack`] or an error with file and line out.

use super::{Because, Pack};

/// Largest pack file, bytes.
pub const MAX_PACK_BYTES: usize = 256 << 10;

/// A pack that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PackError {
    /// Not YAML, or not of a pack's form.
    #[error("read pack {file}:{line}:{column}: {message}")]
    Form {
        /// File, as given.
        file: String,
        /// From 1; 0 when the whole file is meant.
        line: u64,
        /// From 1; 0 when the whole file is meant.
        column: u64,
        /// What is wrong.
        message: String,
    },
    /// Larger than [`MAX_PACK_BYTES`].
    #[error("read pack {file}: {size_bytes} bytes are more than {MAX_PACK_BYTES}")]
    Size {
        /// File, as given.
        file: String,
        /// Its size in bytes.
        size_bytes: usize,
    },
    /// Reads, but makes no sense.
    #[error("read pack {file}: {claim}: {message}")]
    Claim {
        /// File, as given.
        file: String,
        /// Which entry: `writes[2]`.
        claim: String,
        /// What is wrong.
        message: String,
    },
}

/// Reads one pack. `file` is used in errors only.
pub fn parse(file: &str, text: &str) -> Result<Pack, PackError> {
    if text.len() > MAX_PACK_BYTES {
        return Err(PackError::Size {
            file: file.to_owned(),
            size_bytes: text.len(),
        });
    }
    let pack: Pack = serde_saphyr::from_str(text).map_err(|error| {
        let location = error.location();
        PackError::Form {
            file: file.to_owned(),
            line: location.map_or(0, |location| location.line()),
            column: location.map_or(0, |location| location.column()),
            message: error.without_snippet().to_string(),
        }
    })?;
    check(file, &pack)?;
    Ok(pack)
}

fn check(file: &str, pack: &Pack) -> Result<(), PackError> {
    let fail = |claim: String, message: &str| {
        Err(PackError::Claim {
            file: file.to_owned(),
            claim,
            message: message.to_owned(),
        })
    };
    if pack.matches.mains.is_empty() {
        return fail("match".to_owned(), "names no main program, so it would never be used");
    }
    for (claim, because) in reasons(pack) {
        if because.phases.is_empty() {
            return fail(claim, "names no phase");
        }
        if because.evidence.trim().is_empty() {
            return fail(claim, "gives no evidence");
        }
    }
    for (claim, text) in texts(pack) {
        for hole in holes(text) {
            let known = ["setting.", "env."].iter().any(|prefix| hole.starts_with(prefix))
                || ["volume", "workdir", "main.folder", "user.home"].contains(&hole)
                || pack.variables.contains_key(hole) && !claim.starts_with("variables");
            if !known {
                return fail(claim, &format!("unknown variable {{{hole}}}"));
            }
        }
    }
    Ok(())
}

fn reasons(pack: &Pack) -> Vec<(String, &Because)> {
    let mut all = Vec::new();
    let mut add = |kind: &str, index: usize, because| all.push((format!("{kind}[{index}]"), because));
    for (index, claim) in pack.listens.iter().enumerate() {
        add("listens", index, &claim.because);
    }
    for (index, claim) in pack.connects.iter().enumerate() {
        add("connects", index, &claim.because);
    }
    for (index, claim) in pack.writes.iter().enumerate() {
        add("writes", index, &claim.because);
    }
    for (index, claim) in pack.loads.iter().enumerate() {
        add("loads", index, &claim.because);
    }
    for (index, claim) in pack.execs.iter().enumerate() {
        add("execs", index, &claim.because);
    }
    for (index, claim) in pack.becomes.iter().enumerate() {
        add("becomes", index, &claim.because);
    }
    for (index, claim) in pack.narrows.iter().enumerate() {
        add("narrows", index, &claim.because);
    }
    for (index, claim) in pack.never.iter().enumerate() {
        add("never", index, &claim.because);
    }
    for (index, claim) in pack.closes.iter().enumerate() {
        add("closes", index, &claim.because);
    }
    all
}

fn texts(pack: &Pack) -> Vec<(String, &str)> {
    let mut all: Vec<(String, &str)> = Vec::new();
    for (name, places) in &pack.variables {
        all.extend(places.iter().map(|place| (format!("variables.{name}"), place.as_str())));
    }
    for (index, claim) in pack.listens.iter().enumerate() {
        all.push((format!("listens[{index}]"), &claim.port));
    }
    for (index, claim) in pack.writes.iter().enumerate() {
        all.push((format!("writes[{index}]"), &claim.path));
    }
    for (index, claim) in pack.loads.iter().enumerate() {
        all.push((format!("loads[{index}]"), &claim.path));
    }
    for (index, claim) in pack.narrows.iter().enumerate() {
        all.push((format!("narrows[{index}]"), &claim.path));
    }
    for (index, claim) in pack.becomes.iter().enumerate() {
        all.push((format!("becomes[{index}]"), &claim.user));
    }
    for (index, claim) in pack.execs.iter().enumerate() {
        let names = claim.to.iter().chain([&claim.from]);
        all.extend(names.map(|name| (format!("execs[{index}]"), name.as_str())));
    }
    all
}

/// Names of the variables in a text: `{data}/**` has `data`.
fn holes(text: &str) -> impl Iterator<Item = &str> {
    text.split('{')
        .skip(1)
        .filter_map(|rest| rest.split_once('}').map(|(name, _)| name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str =
        "name: x\nversion: 1\nsummary: s\ndocs: d\nmatch: {mains: [x], packages: [x]}\nbenign: []\nattacks: []\n";

    #[test]
    fn refuses_what_would_be_silently_ignored() {
        assert!(parse("x.yaml", SMALL).is_ok());
        for (more, expected) in [
            ("writs: []\n", "x.yaml:8:1"),
            (
                "writes: [{path: '{nowhere}/a', because: {phases: [serving], evidence: e}}]\n",
                "unknown variable {nowhere}",
            ),
            (
                "writes: [{path: /a, because: {phases: [], evidence: e}}]\n",
                "writes[0]: names no phase",
            ),
            (
                "closes: [{verb: exec, because: {phases: [serving], evidence: ''}}]\n",
                "closes[0]: gives no evidence",
            ),
            (
                "listens: [{port: '1', because: {phases: [sometimes], evidence: e}}]\n",
                "x.yaml:8:",
            ),
            ("version: 2\n", "x.yaml:8:"),
        ] {
            let error = parse("x.yaml", &format!("{SMALL}{more}")).unwrap_err().to_string();
            assert!(error.contains(expected), "{more} gave: {error}");
        }
        let error = parse("x.yaml", &SMALL.replace("[x], packages", "[], packages")).unwrap_err();
        assert!(error.to_string().contains("names no main program"));
    }
}
