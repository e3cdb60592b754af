//! Package URLs: the table of purl-spec's own tests.

use plimsoll_vulndb::Purl;

use crate::shared;

/// Rows of the table of package URLs that no reader can agree with, with the reason.
const MALFORMED_PURLS: &[(&str, &str)] = &[
    (
        "pkg:gem/jruby-launcher@1.1.2?Platform=java",
        "`parse` must fail and `validate` of the same text must not",
    ),
    (
        "pkg:Rpm/fedora/curl@7.50.3-1.fc25?Arch=i386&Distro=fedora-25",
        "`parse` must fail and `validate` of the same text must not",
    ),
];

/// The cells of a CSV line whose quoted cells double their quotes.
fn cells(line: &str) -> Vec<String> {
    let (mut cells, mut is_quoted) = (vec![String::new()], false);
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        let cell = cells.last_mut().unwrap();
        match c {
            '"' if is_quoted && chars.peek() == Some(&'"') => cell.extend(chars.next()),
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => cells.push(String::new()),
            _ => cell.push(c),
        }
    }
    cells
}

fn parts(value: &serde_json::Value) -> Purl {
    let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
    let qualifiers = value["qualifiers"].as_object().into_iter().flatten();
    Purl {
        kind: text("type"),
        namespace: text("namespace"),
        name: text("name"),
        version: value["version"].as_str().map(str::to_owned),
        qualifiers: qualifiers
            .map(|(key, value)| (key.clone(), value.as_str().unwrap().to_owned()))
            .collect(),
        subpath: text("subpath"),
    }
}

#[test]
fn agrees_with_the_table_of_package_urls() {
    let Some(text) = shared("purl-spec.csv") else { return };
    let mut wrong = Vec::new();
    let (mut rows, mut malformed) = (0, 0);
    for line in text.lines().skip(1) {
        let row = cells(line);
        let [_, kind, input, expected, must_fail] = row.as_slice() else {
            panic!("{line}")
        };
        rows += 1;
        let input: serde_json::Value = serde_json::from_str(input).unwrap();
        let expected: serde_json::Value = serde_json::from_str(expected).unwrap();
        let known = MALFORMED_PURLS.iter().find(|(text, _)| input.as_str() == Some(text));
        if let Some((text, reason)) = known.filter(|_| kind == "parse") {
            malformed += 1;
            eprintln!("malformed row `{text}`: {reason}");
            continue;
        }
        let found = match kind.as_str() {
            "build" => parts(&input).checked(),
            _ => Purl::parse(input.as_str().unwrap()),
        };
        let agrees = match (&found, must_fail == "True", kind.as_str()) {
            (Err(_), is_meant, _) => is_meant,
            (Ok(_), true, _) => false,
            (Ok(purl), false, "parse") => *purl == parts(&expected),
            (Ok(purl), false, _) => Some(purl.to_string().as_str()) == expected.as_str(),
        };
        if !agrees {
            let shown = found.as_ref().map(ToString::to_string);
            wrong.push(format!("{kind} {input} -> {expected}: {shown:?}"));
        }
    }
    eprintln!("package URLs: {rows} rows, {malformed} malformed");
    assert_eq!(wrong, [""; 0], "{} disagreements", wrong.len());
}
