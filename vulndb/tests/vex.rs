//! VEX of three formats applied to matches; real documents of `../shared/data`.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::io::Read;
use std::path::Path;

use plimsoll_model::{FixState, Match, MatchEvidence, Package, PackageKind, Sbom, Severity, Vulnerability};
use plimsoll_vulndb::{
    VexHeader, VexOutcome, VexStatus, apply_vex, read_vex, vex_claims, write_csaf_vex, write_cyclonedx_vex,
    write_openvex,
};
use serde_json::json;

const LOG4J: &str = "pkg:maven/org.apache.logging.log4j/log4j-core@2.14.1";
const SPRING: &str = "pkg:maven/org.springframework/spring-core@5.3.0";
const IMAGE: &str = "pkg:oci/shop?repository_url=registry.example/team/shop";

fn sbom() -> Sbom {
    let package = |purl: &str| Package {
        purl: purl.to_owned(),
        ..Package::new(PackageKind::Maven, purl, "")
    };
    Sbom {
        os: None,
        packages: vec![package(LOG4J), package(SPRING)],
    }
}

fn one(package: u32, id: &str, alias: &str) -> Match {
    Match {
        package,
        vulnerability: Vulnerability {
            id: id.to_owned(),
            aliases: vec![alias.to_owned()],
            severity: Severity::High,
            cvss_score: None,
            known_exploited: false,
            epss: None,
            summary: String::new(),
        },
        fix_state: FixState::Affected,
        fixed_version: None,
        evidence: MatchEvidence {
            advisory: id.to_owned(),
            source: "ghsa".to_owned(),
            ecosystem: "Maven".to_owned(),
            compared_name: "log4j".to_owned(),
            compared_version: String::new(),
            range: "any version".to_owned(),
        },
        reach: None,
    }
}

fn matches() -> Vec<Match> {
    vec![
        one(0, "CVE-2021-44228", "GHSA-jfh8-c2jp-5v3q"),
        one(1, "CVE-2022-22965", "GHSA-36p3-wjmg-h94x"),
        one(1, "CVE-2021-44228", "GHSA-jfh8-c2jp-5v3q"),
    ]
}

fn apply(documents: &[&str]) -> VexOutcome {
    let documents: Vec<_> = (0..)
        .zip(documents)
        .map(|(number, text)| read_vex(&format!("{number}.json"), text.as_bytes()).unwrap())
        .collect();
    apply_vex(matches(), &sbom(), &[IMAGE.to_owned()], &documents)
}

/// Which of the three matches are taken away, by their position.
fn check(documents: &[&str], expected: &[usize], unused: usize) -> VexOutcome {
    let outcome = apply(documents);
    let all = matches();
    let position = |one: &Match| all.iter().position(|other| other == one).unwrap();
    let taken: Vec<usize> = outcome.suppressed.iter().map(|gone| position(&gone.one)).collect();
    assert_eq!(taken, expected, "{documents:?}");
    assert_eq!(outcome.matches.len() + taken.len(), all.len());
    assert_eq!(outcome.unused.len(), unused, "{:?}", outcome.unused);
    outcome
}

fn openvex(vulnerability: &str, products: &str, status: &str, time: &str) -> String {
    format!(
        r#"{{"@context":"https://openvex.dev/ns/v0.2.0","@id":"https://a.example/1","author":"a","version":1,"timestamp":"{time}",
        "statements":[{{"vulnerability":{{"name":"{vulnerability}"}},"products":{products},"status":"{status}",
        "justification":"vulnerable_code_not_in_execute_path"}}]}}"#
    )
}

#[test]
fn a_statement_must_name_the_vulnerability_and_the_package() {
    let time = "2024-01-01T00:00:00Z";
    let of = |id: &str, products: &str| openvex(id, products, "not_affected", time);
    let log4j = format!(r#"[{{"@id":"{LOG4J}"}}]"#);
    let outcome = check(&[&of("CVE-2021-44228", &log4j)], &[0], 0);
    assert_eq!(
        outcome.suppressed[0].statement.justification,
        "vulnerable_code_not_in_execute_path"
    );
    assert_eq!(outcome.suppressed[0].document, "0.json");
    check(&[&of("GHSA-jfh8-c2jp-5v3q", &log4j)], &[0], 0);
    check(&[&of("CVE-2021-45046", &log4j)], &[], 1);
    let any = r#"[{"@id":"pkg:maven/org.apache.logging.log4j/log4j-core"}]"#;
    check(&[&of("CVE-2021-44228", any)], &[0], 0);
    check(&[&of("CVE-2021-44228", &log4j.replace("2.14.1", "2.15.0"))], &[], 1);
    // The image as a whole, or one component of it; another image's components are no concern of ours.
    let image = r#"[{"@id":"pkg:oci/shop"}]"#;
    check(&[&of("CVE-2021-44228", image)], &[0, 2], 0);
    let component = format!(r#"[{{"@id":"pkg:oci/shop","subcomponents":[{{"@id":"{SPRING}"}}]}}]"#);
    check(&[&of("CVE-2021-44228", &component)], &[2], 0);
    check(
        &[&of("CVE-2021-44228", &component.replace("oci/shop", "oci/other"))],
        &[],
        1,
    );
}

#[test]
fn the_newest_statement_counts() {
    let product = format!(r#"[{{"@id":"{LOG4J}"}}]"#);
    let of = |status: &str, time: &str| openvex("CVE-2021-44228", &product, status, time);
    let old = of("not_affected", "2024-01-01T23:00:00-05:00");
    let new = of("affected", "2024-01-02T05:00:00Z");
    check(&[&old, &new], &[], 1);
    check(&[&new, &old], &[], 1);
    check(&[&of("under_investigation", "2023-01-01T00:00:00Z"), &old], &[0], 0);
    check(&[&of("fixed", "2025-01-01T00:00:00Z"), &new], &[0], 0);
}

#[test]
fn csaf_says_it_by_product_ids() {
    let csaf = format!(
        r#"{{"document":{{"category":"csaf_vex","csaf_version":"2.0","tracking":{{"current_release_date":"2024-01-01T00:00:00Z"}}}},
        "product_tree":{{"branches":[{{"branches":[{{"product":{{"product_id":"P1","product_identification_helper":{{"purl":"{LOG4J}"}}}}}}]}}],
          "relationships":[{{"product_reference":"P1","relates_to_product_reference":"OS","full_product_name":{{"product_id":"OS:P1"}}}}]}},
        "vulnerabilities":[{{"cve":"CVE-2021-44228","product_status":{{"known_not_affected":["OS:P1","NOBODY"]}},
          "flags":[{{"label":"component_not_present","product_ids":["OTHER"]}},{{"label":"vulnerable_code_not_present","product_ids":["OS:P1"]}}]}}]}}"#
    );
    let outcome = check(&[&csaf], &[0], 0);
    assert_eq!(
        outcome.suppressed[0].statement.justification,
        "vulnerable_code_not_present"
    );
    check(&[&csaf.replace("known_not_affected", "known_affected")], &[], 0);
}

#[test]
fn cyclonedx_says_it_by_references() {
    let of = |state: &str, reference: &str| {
        format!(
            r#"{{"bomFormat":"CycloneDX","specVersion":"1.5","components":[{{"bom-ref":"a","purl":"{SPRING}"}}],
            "vulnerabilities":[{{"id":"X-1","references":[{{"id":"CVE-2022-22965"}}],"affects":[{{"ref":"{reference}"}}],
            "analysis":{{"state":"{state}","justification":"code_not_reachable","detail":"no servlet"}}}},{{"id":"CVE-2021-44228"}}]}}"#
        )
    };
    let outcome = check(&[&of("not_affected", "a")], &[1], 0);
    assert_eq!(outcome.suppressed[0].statement.impact, "no servlet");
    check(
        &[&of("resolved", "urn:cdx:3e671687-395b-41f5-a30f-a58921a69b79/1#a")],
        &[1],
        0,
    );
    check(&[&of("false_positive", SPRING)], &[1], 0);
    check(&[&of("exploitable", "a")], &[], 0);
    check(&[&of("not_affected", "b")], &[], 1);
}

#[test]
fn what_is_written_is_read_again_and_does_the_same() {
    let product = format!(r#"[{{"@id":"{LOG4J}"}}]"#);
    let outcome = apply(&[&openvex(
        "CVE-2021-44228",
        &product,
        "not_affected",
        "2024-01-01T00:00:00Z",
    )]);
    let header = VexHeader {
        product: IMAGE,
        author: "tests",
        id: "urn:uuid:6ba7b810-9dad-41d1-80b4-00c04fd430c8",
        now: "2024-02-01T00:00:00Z",
    };
    let claims = vex_claims(&outcome.matches, &outcome.suppressed);
    assert_eq!(claims.len(), 3);
    for (format, written, reason, time) in [
        (
            "openvex",
            write_openvex(&claims, &sbom(), &header).unwrap(),
            "vulnerable_code_not_in_execute_path",
            "2024-01-01T00:00:00Z",
        ),
        // Its statements have no time of their own.
        (
            "csaf",
            write_csaf_vex(&claims, &sbom(), &header),
            "vulnerable_code_not_in_execute_path",
            "2024-02-01T00:00:00Z",
        ),
        (
            "cyclonedx",
            write_cyclonedx_vex(&claims, &sbom(), &header),
            "code_not_reachable",
            "2024-01-01T00:00:00Z",
        ),
    ] {
        let text = written.to_string();
        // What is written as affected takes nothing away, and is no statement of no use either.
        let again = check(&[&text], &[0], 0);
        let statement = &again.suppressed[0].statement;
        assert_eq!(
            (statement.justification.as_str(), statement.timestamp.as_str()),
            (reason, time),
            "{format}"
        );
        let document = read_vex(format, text.as_bytes()).unwrap();
        let affected = document
            .statements
            .iter()
            .filter(|one| one.status == VexStatus::Affected);
        assert_eq!(affected.count(), 2, "{format}");
        // In the documents of another image it means nothing.
        let elsewhere = apply_vex(matches(), &sbom(), &["pkg:oci/other".to_owned()], &[document]);
        let is_scoped = format != "cyclonedx";
        assert_eq!(elsewhere.suppressed.is_empty(), is_scoped, "{format}");
    }
    assert_eq!(
        write_openvex(&claims[..1], &sbom(), &header).unwrap()["statements"][0]["action_statement"],
        "There is no fix of log4j yet."
    );
}

#[test]
fn what_is_no_vex_or_gives_no_reason_waives_nothing() {
    let bare = r#"{"@context":"https://openvex.dev/ns/v0.2.0","statements":[{"vulnerability":"CVE-2021-44228","products":["pkg:oci/shop"],"status":"not_affected"}]}"#;
    let word = bare.replace("not_affected", "harmless");
    let nameless =
        r#"{"@context":"https://openvex.dev/ns","statements":[{"products":["pkg:oci/shop"],"status":"fixed"}]}"#;
    for text in [
        "",
        "{}",
        "[]",
        bare,
        &word,
        nameless,
        r#"{"bomFormat":"CycloneDX","vulnerabilities":[{"analysis":{}}]}"#,
    ] {
        assert!(read_vex("a", text.as_bytes()).is_err(), "{text}");
    }
    assert!(read_vex("a", "[".repeat(100_000).as_bytes()).is_err());
}

#[test]
fn real_documents_are_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/advisories/samples");
    let Ok(file) = std::fs::File::open(folder.join("vexhub-openvex.tar.zst")) else {
        eprintln!("SKIPPED: {} is absent, so no real VEX was read", folder.display());
        return;
    };
    let mut archive = Vec::new();
    zstd::Decoder::new(file).unwrap().read_to_end(&mut archive).unwrap();
    let (mut read, mut statements, mut refused) = (0, 0, Vec::new());
    for (name, bytes) in members(&archive).filter(|(name, _)| name.ends_with(".openvex.json")) {
        match read_vex(&name, bytes) {
            Ok(document) => {
                read += 1;
                let is_usable = document.statements.iter().all(|one| !one.products.is_empty());
                assert!(is_usable, "{name}");
                let known = |status| document.statements.iter().filter(|one| one.status == status).count();
                statements += known(VexStatus::NotAffected) + known(VexStatus::Fixed);
            }
            Err(reason) => refused.push(format!("{name}: {reason}")),
        }
    }
    eprintln!("{read} documents with {statements} statements, refused: {refused:#?}");
    assert!(read > 50 && statements > 1_000, "{read} {statements}");
    assert!(refused.len() <= read / 20, "{refused:#?}");
}

/// The regular members of a tar archive (POSIX ustar), enough for one of plain short names.
fn members(archive: &[u8]) -> impl Iterator<Item = (String, &[u8])> {
    let mut offset = 0;
    std::iter::from_fn(move || {
        let header = archive.get(offset..offset + 512).filter(|header| header[0] != 0)?;
        let field = |from: usize, to: usize| {
            let bytes = &header[from..to];
            let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
            String::from_utf8_lossy(&bytes[..end]).trim().to_owned()
        };
        let size = usize::from_str_radix(&field(124, 136), 8).unwrap();
        let name = format!("{}{}", field(345, 500), field(0, 100));
        let start = offset + 512;
        offset = start + size.div_ceil(512) * 512;
        Some((name, &archive[start..start + size]))
    })
}

#[test]
fn what_is_said_alike_of_several_packages_is_one_statement() {
    let header = VexHeader {
        product: IMAGE,
        author: "tests",
        id: "urn:uuid:6ba7b810-9dad-41d1-80b4-00c04fd430c8",
        now: "2024-02-01T00:00:00Z",
    };
    let (matches, sbom) = (matches(), sbom());
    let document = write_openvex(&vex_claims(&matches, &[]), &sbom, &header).unwrap();
    let statements = document["statements"].as_array().unwrap();
    let said: Vec<_> = statements
        .iter()
        .map(|one| (&one["vulnerability"]["name"], &one["products"][0]["subcomponents"]))
        .collect();
    assert_eq!(
        said,
        [
            (&json!("CVE-2021-44228"), &json!([{"@id": LOG4J}, {"@id": SPRING}])),
            (&json!("CVE-2022-22965"), &json!([{"@id": SPRING}])),
        ]
    );
}
