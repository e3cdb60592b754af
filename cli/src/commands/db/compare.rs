//! `plimsoll db compare`: two versions, or lines of them, in; `<`, `=` or `>` out.

use std::io::{BufRead, Write};

use plimsoll_vulndb::version;

use super::{print, sign};
use crate::exit::{Exit, Failure, escape};

pub(super) fn compare(scheme: &str, a: &str, b: &str) -> Result<Exit, Failure> {
    let scheme = find_scheme(scheme).map_err(|error| {
        let names: Vec<&str> = version::ALL.iter().map(|scheme| scheme.name()).collect();
        Failure::new(
            Exit::Usage,
            anyhow::anyhow!(error),
            format!("the schemes are {}", names.join(", ")),
        )
    })?;
    let order = scheme.compare_strictly(a, b).map_err(|error| {
        Failure::new(
            Exit::Incomplete,
            anyhow::Error::from(error).context("compare"),
            "check the version and the scheme",
        )
    })?;
    print(&format!("{}\n", sign(order)))
}

fn find_scheme(name: &str) -> Result<&'static dyn version::Scheme, String> {
    version::find(name).ok_or_else(|| format!("compare: there is no version scheme `{name}`"))
}

/// Answers every line of stdin with one line: `<`, `=`, `>`, or `error: <reason>`, after which the exit code is 5.
pub(super) fn compare_lines() -> Result<Exit, Failure> {
    let failed = |error: std::io::Error| {
        Failure::new(
            Exit::Incomplete,
            anyhow::Error::from(error).context("read stdin"),
            "give UTF-8 lines",
        )
    };
    let mut output = std::io::BufWriter::new(std::io::stdout().lock());
    let mut exit = Exit::Go;
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(failed)?;
        let answer = answer(&line).map_or_else(
            |reason| {
                exit = Exit::Incomplete;
                format!("error: {}", escape(&reason))
            },
            |order| sign(order).to_string(),
        );
        if writeln!(output, "{answer}").is_err() {
            // Whoever read the answers has had enough.
            return Ok(exit);
        }
    }
    Ok(exit)
}

fn answer(line: &str) -> Result<std::cmp::Ordering, String> {
    let cells = csv_cells(line)?;
    let [scheme, a, b] = cells.as_slice() else {
        return Err(format!("{} columns instead of scheme,a,b", cells.len()));
    };
    find_scheme(scheme)?
        .compare_strictly(a, b)
        .map_err(|error| error.to_string())
}

/// The cells of one line (RFC 4180, without line breaks in cells).
fn csv_cells(line: &str) -> Result<Vec<String>, String> {
    let (mut cells, mut rest) = (Vec::new(), line);
    loop {
        if let Some(quoted) = rest.strip_prefix('"') {
            let (cell, after) = unquote(quoted)?;
            cells.push(cell);
            match after.strip_prefix(',') {
                Some(next) => rest = next,
                None if after.is_empty() => return Ok(cells),
                None => return Err("text after a closing quote".to_owned()),
            }
        } else if let Some((cell, next)) = rest.split_once(',') {
            cells.push(cell.to_owned());
            rest = next;
        } else {
            cells.push(rest.to_owned());
            return Ok(cells);
        }
    }
}

/// A cell after its opening quote, up to the closing one; doubled quotes stand for one.
fn unquote(mut text: &str) -> Result<(String, &str), String> {
    let mut cell = String::new();
    loop {
        let (part, after) = text.split_once('"').ok_or("a quote is not closed")?;
        cell.push_str(part);
        match after.strip_prefix('"') {
            Some(next) => {
                cell.push('"');
                text = next;
            }
            None => return Ok((cell, after)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_csv() {
        assert_eq!(csv_cells(r#"dpkg,1,"a,""b""""#).unwrap(), ["dpkg", "1", r#"a,"b""#]);
        assert_eq!(csv_cells("gem,,0").unwrap(), ["gem", "", "0"]);
        assert!(csv_cells(r#"a,"b"#).is_err());
        assert!(csv_cells(r#"a,"b"c"#).is_err());
    }

    #[test]
    fn a_bad_line_is_answered_with_an_error() {
        assert_eq!(answer("dpkg,1:1,2"), Ok(std::cmp::Ordering::Greater));
        for line in ["dpkg,1", "morse,1,2", "dpkg,a:b:c,1", ""] {
            assert!(answer(line).is_err(), "{line}");
        }
    }
}
