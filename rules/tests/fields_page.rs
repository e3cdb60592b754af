//! `docs/fields.md` is what the table of fields says. `PLIMSOLL_BLESS=1` writes the page anew.

use std::{fmt::Write, fs, path::Path};

use plimsoll_rules::{FieldInfo, Source, fields};

const INTRODUCTION: &str = "# Fields

Written by `rules/tests/fields_page.rs` from the table that rules are checked against: do not edit it. `plimsoll rules fields`
shows the same. [rules.md](rules.md) says how values are compared; a field without a value makes every comparison false.

`[…]` means that the field can or must be written with an argument: `proc.aname[2]`, `evt.arg[flags]`.
";

#[test]
fn the_page_lists_every_field() {
    let all = fields();
    let mut page = String::from(INTRODUCTION);
    for source in Source::ALL {
        let of_source: Vec<&FieldInfo> = all.iter().filter(|field| field.sources.contains(&source)).collect();
        section(&mut page, source, &of_source);
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/fields.md");
    if std::env::var_os("PLIMSOLL_BLESS").is_some() {
        fs::write(&path, &page).expect("the page can be written");
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == page,
        "docs/fields.md does not say what the table says; run with PLIMSOLL_BLESS=1 and read the difference"
    );
}

fn section(page: &mut String, source: Source, fields: &[&FieldInfo]) {
    let (provided, others): (Vec<&FieldInfo>, Vec<&FieldInfo>) = fields.iter().partition(|field| field.is_provided);
    let _ = writeln!(
        page,
        "\n## `{}`\n\n| field | type | meaning |\n|---|---|---|",
        source.as_str()
    );
    for field in provided {
        let list = if field.is_list { "list of " } else { "" };
        let doc = field.doc.replace('|', "\\|");
        let _ = writeln!(page, "| {} | {list}{} | {doc} |", name(field), field.kind.as_str());
    }
    if others.is_empty() {
        return;
    }
    let names: Vec<String> = others.iter().map(|field| name(field)).collect();
    let _ = writeln!(
        page,
        "\nNot provided: {} more fields that upstream's rules may use. Rules with them load; the fields have no value.\n\n{}",
        names.len(),
        names.join(", ")
    );
}

fn name(field: &FieldInfo) -> String {
    let argument = if field.takes_argument { "[…]" } else { "" };
    format!("`{}{argument}`", field.name)
}
