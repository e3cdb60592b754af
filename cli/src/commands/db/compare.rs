//! `plimsoll db compare`: two versions, or lines of them, in; `<`, `=` or `>` out.

use std::io::{BufRead, BufReader, Read, Write};

use plimsoll_vulndb::version;

use super::{print, sign};
use crate::exit::{Exit, Failure, escape};

/// Longest line of versions to compare, in bytes: two of the longest with every quote doubled, and room.
const MAX_LINE_BYTES: usize = 16 << 10;

pub(super) fn compare(scheme: &str, a: &str, b: &str) -> Result<Exit, Failure> {
    let scheme = find_scheme(scheme).map_err(|error| {
        let names: Vec<&str> = version::ALL.iter().map(|scheme| scheme.name()).collect();
        Failure::new(
            Exit::Usage,
            anyhow::anyhow!(error),
            format!("the schemes are {}", names.join(", ")),
        )
    })?;
    let order = scheme.compare_by_tool(a, b).map_err(|error| {
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
    answer_lines(std::io::stdin().lock(), std::io::stdout().lock()).map_err(|error| {
        Failure::new(
            Exit::Incomplete,
            anyhow::Error::from(error).context("read stdin"),
            "give lines of scheme,a,b",
        )
    })
}

fn answer_lines(input: impl Read, output: impl Write) -> std::io::Result<Exit> {
    let (mut input, mut output) = (BufReader::new(input), std::io::BufWriter::new(output));
    let mut exit = Exit::Go;
    let mut line = Vec::new();
    while read_line(&mut input, &mut line)? {
        let answer = answer_bytes(&line).map_or_else(
            |reason| {
                exit = Exit::Incomplete;
                format!("error: {}", escape(&reason))
            },
            |order| sign(order).to_string(),
        );
        // Whoever asks line by line waits for the answer before the next question.
        let is_asked_more = input.buffer().contains(&b'\n');
        let written = writeln!(output, "{answer}").and_then(|()| match is_asked_more {
            true => Ok(()),
            false => output.flush(),
        });
        if written.is_err() {
            // Whoever read the answers has had enough.
            break;
        }
    }
    Ok(exit)
}

/// Reads the next line without its end, or its start if it is too long; `false`: there is none.
fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> std::io::Result<bool> {
    line.clear();
    let limit = MAX_LINE_BYTES as u64 + 2;
    input.by_ref().take(limit).read_until(b'\n', line)?;
    if line.is_empty() {
        return Ok(false);
    }
    match line.strip_suffix(b"\n") {
        Some(text) => line.truncate(text.strip_suffix(b"\r").unwrap_or(text).len()),
        None if line.len() as u64 == limit => input.skip_until(b'\n').map(drop)?,
        None => {}
    }
    Ok(true)
}

fn answer_bytes(line: &[u8]) -> Result<std::cmp::Ordering, String> {
    if line.len() > MAX_LINE_BYTES {
        return Err(format!("the line is longer than {MAX_LINE_BYTES} bytes"));
    }
    answer(std::str::from_utf8(line).map_err(|_| "the line is not UTF-8")?)
}

fn answer(line: &str) -> Result<std::cmp::Ordering, String> {
    let cells = csv_cells(line)?;
    let [scheme, a, b] = cells.as_slice() else {
        let count = cells.len();
        return Err(format!("scheme,a,b are three columns, the line has {count}"));
    };
    find_scheme(scheme)?
        .compare_by_tool(a, b)
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

    /// Lines and their answers; a reason is told by its start.
    fn check(input: &[u8], expected: &[&str]) {
        let mut output = Vec::new();
        let exit = answer_lines(input, &mut output).unwrap();
        let output = String::from_utf8(output).unwrap();
        let answers: Vec<&str> = output.lines().collect();
        assert_eq!(answers.len(), expected.len(), "{output}");
        for (answer, expected) in answers.iter().zip(expected) {
            let agrees = match expected.starts_with("error") {
                true => answer.starts_with(expected) && answer.len() < 1_000,
                false => answer == expected,
            };
            assert!(agrees, "{answer}, not {expected}");
        }
        let has_errors = expected.iter().any(|answer| answer.starts_with("error"));
        assert_eq!(exit == Exit::Incomplete, has_errors, "{output}");
    }

    #[test]
    fn every_line_has_its_own_answer() {
        check(b"", &[]);
        check(b"dpkg,1,2\r\ndpkg,2,1\r\n\"dpkg\",\"1\",1", &["<", ">", "="]);
        let long = [b"dpkg,1,".as_slice(), &[b'1'; 1 << 20], b"\ngem,1,2\n"].concat();
        check(&long, &["error: the line is longer than 16384 bytes", "<"]);
        let longest = [b"dpkg,1,".as_slice(), &[b'1'; MAX_LINE_BYTES - 7], b"\r\ngem,1,2\n"].concat();
        check(&longest, &["error: `1111", "<"]);
        check(b"rpm,\xff,1\nrpm,1,2", &["error: the line is not UTF-8", "<"]);
        check(
            b"\n,,\ndpkg\ndpkg,1,2,3\n\0,1,2\nmaven,\0,1\nnpm,1,2\n",
            &["error", "error", "error", "error", "error", "<", "<"],
        );
        for scheme in version::ALL {
            let mut output = Vec::new();
            let lines = format!("{},\u{1b}[2J\u{9b}\u{85},1\ngo,v1,v2", scheme.name());
            answer_lines(lines.as_bytes(), &mut output).unwrap();
            let output = String::from_utf8(output).unwrap();
            let (answer, next) = output.split_once('\n').unwrap();
            assert!(!answer.contains(char::is_control), "{answer:?}");
            assert_eq!(next, "<\n", "{answer}");
        }
    }

    #[test]
    fn an_answer_does_not_wait_for_the_next_line() {
        let (mut ask, questions) = std::io::pipe().map(|(reader, writer)| (writer, reader)).unwrap();
        let (answers, tell) = std::io::pipe().unwrap();
        let mut answers = BufReader::new(answers);
        let work = std::thread::spawn(move || answer_lines(questions, tell));
        for (line, expected) in [("dpkg,1,2\n", "<\n"), ("morse,1,2\n", "error"), ("gem,2,1\n", ">\n")] {
            ask.write_all(line.as_bytes()).unwrap();
            let mut answer = String::new();
            answers.read_line(&mut answer).unwrap();
            assert!(answer.starts_with(expected), "{line}: {answer}");
        }
        drop(ask);
        assert!(work.join().unwrap().is_ok());
    }

    #[test]
    fn a_bad_line_is_answered_with_an_error() {
        assert_eq!(answer("dpkg,1:1,2"), Ok(std::cmp::Ordering::Greater));
        for line in ["dpkg,1", "morse,1,2", "dpkg,a:b:c,1", ""] {
            assert!(answer(line).is_err(), "{line}");
        }
    }
}
