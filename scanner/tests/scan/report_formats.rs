//! What the formats for people and for templates say, and that nothing in them is taken for more than text.

use plimsoll_scanner::report::{self, Document, Template};

use crate::{
    reports::{assembled, written},
    validators::{hostile, hostile_texts},
};

fn filled(file_name: &str, text: &str) -> Result<String, String> {
    let (report, tree) = assembled();
    let template = Template::parse(file_name, text).map_err(|error| error.to_string())?;
    let document = Document {
        report: &report,
        tree: &tree,
        colour: false,
        suppressed: &[],
        template: Some(&template),
    };
    let format = report::ALL.iter().find(|format| format.name() == "template").unwrap();
    let mut out = Vec::new();
    format.write(&document, &mut out).map_err(|error| error.to_string())?;
    Ok(String::from_utf8(out).unwrap())
}

#[test]
fn the_page_needs_nothing_else_and_says_what_was_found() {
    let page = written("html", false);
    for expected in [
        "test:image",
        "CVE-2024-0003",
        "exploited",
        "1:2.1",
        "too big",
        "&#x2f;var&#x2f;lib&#x2f;dpkg&#x2f;status",
    ] {
        assert!(page.contains(expected), "{expected}");
    }
    assert!(
        page.contains("href=\"https:&#x2f;&#x2f;www.cve.org&#x2f;CVERecord?id=CVE-2024-0001\""),
        "{page}"
    );
    for outside in ["<script", "<link", "<img", "@import", "url(", "src="] {
        assert!(!page.contains(outside), "{outside}");
    }
    let is_odd = |char: char| char.is_control() && char != '\n';
    assert!(!page.contains(is_odd));
}

#[test]
fn hostile_text_stays_text_in_the_page() {
    let (_, tree) = assembled();
    for text in hostile_texts() {
        let report = hostile(&text);
        let page = crate::reports::written_of("html", &report, &tree, false);
        let is_odd = |char: char| (char.is_control() && char != '\n') || char == '\u{202e}';
        assert!(!page.contains("<script") && !page.contains(is_odd), "{text:.40}");
        // Two binaries of one source package share a row; one more match points nowhere.
        assert_eq!(
            page.matches("<div class=\"summary\"").count(),
            usize::from(!text.is_empty()) * 2
        );
    }
}

#[test]
fn a_template_sees_what_json_says() {
    let text =
        "{% for found in matches %}{{ found.vulnerability.id }} {{ sbom.packages[found.package].name }}\n{% endfor %}";
    let expected = "CVE-2024-0003 app\nCVE-2024-0001 app\nCVE-2024-0002 app\n";
    assert_eq!(filled("x.txt", text).unwrap(), expected);
    assert_eq!(
        filled("x.html.j2", "{{ '<b>' ~ schema }}").unwrap(),
        "&lt;b&gt;plimsoll.scan&#x2f;v1"
    );
}

#[test]
fn shipped_templates_give_one_line_a_row() {
    let text = written("template", false);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 4, "{text}");
    assert_eq!(
        lines[2],
        "test:image,CVE-2024-0001,critical,false,,7.5,dpkg,app,1:2,1:2.1,fixed"
    );
    let columns = lines[0].split(',').count();
    assert!(lines.iter().all(|line| line.split(',').count() == columns), "{text}");
    assert!(Template::shipped("packages.csv").is_ok());
    let error = Template::shipped("none").unwrap_err().to_string();
    assert!(error.contains("@packages.csv, @vulnerabilities.csv"), "{error}");
}

#[test]
fn a_spreadsheet_takes_no_text_for_a_formula() {
    let line = filled(
        "x.csv",
        "{{ ['=1+1', '-2', -2, 'a\"b', 'a,b', none, 'two\\nlines'] | csv }}",
    )
    .unwrap();
    assert_eq!(line, r#""'=1+1","'-2",-2,"a""b","a,b",,two\nlines"#);
}

#[test]
fn a_bad_template_says_where_and_an_endless_one_ends() {
    let error = filled("x.txt", "one\n{% for %}").unwrap_err();
    assert!(error.starts_with("parse the template: line 2"), "{error}");
    let error = filled("x.txt", "a\n{{ 'x' * 100000000000 }}").unwrap_err();
    assert!(error.contains("line 2"), "{error}");
    let loops = "{% for a in range(9999) %}{% for b in range(9999) %}{% for c in range(9999) %}{% endfor %}{% endfor %}{% endfor %}";
    assert!(filled("x.txt", loops).is_err());
    assert!(filled("x.txt", "{% include '/etc/passwd' %}").is_err());
    assert!(
        filled("x.txt", &"x".repeat(2 << 20))
            .unwrap_err()
            .contains("1048576 bytes")
    );
}
