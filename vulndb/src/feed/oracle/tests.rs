//! Excerpts of `com.oracle.elsa-all.xml`, with fewer packages: ELSA-2007-0057, ELSA-2021-9151 and ELSA-2022-4803 as Oracle
//! publishes them (vunnel's test data has the whole definitions).

use super::*;

const START: &str = r#"<oval_definitions xmlns="http://oval.mitre.org/XMLSchema/oval-definitions-5"><definitions>"#;
const END: &str = "</definitions></oval_definitions>";

const BIND: &str = r#"<definition id="oval:com.oracle.elsa:def:20070057" version="501" class="patch">
<metadata>
<title>
ELSA-2007-0057:  Moderate: bind security update  (MODERATE)
</title>
<affected family="unix"><platform>Oracle Linux 5</platform></affected>
<reference source="elsa" ref_id="ELSA-2007-0057" ref_url="http://linux.oracle.com/errata/ELSA-2007-0057.html"/>
<reference source="CVE" ref_id="CVE-2007-0493" ref_url="http://linux.oracle.com/cve/CVE-2007-0493.html"/>
<description> [30:9.3.3-8] - Resolves: rhbz#224445 </description>
<!-- advisory details -->
<advisory><severity>MODERATE</severity><rights>Copyright 2007 Oracle, Inc.</rights><issued date="2007-06-26"/>
<cve href="http://linux.oracle.com/cve/CVE-2007-0493.html">CVE-2007-0493</cve>
<cve href="http://linux.oracle.com/cve/CVE-2007-0494.html">CVE-2007-0494</cve>
</advisory>
</metadata>
<criteria operator="AND">
<criterion test_ref="oval:com.oracle.elsa:tst:20070057001" comment="Oracle Linux 5 is installed"/>
<criteria operator="OR">
<criteria operator="AND">
<criterion test_ref="oval:com.oracle.elsa:tst:20070057006" comment="bind-libs is earlier than 30:9.3.3-8.el5"/>
<criterion test_ref="oval:com.oracle.elsa:tst:20070057007" comment="bind-libs is signed with the Oracle Linux 5 key"/>
</criteria>
</criteria>
</criteria>
</definition>"#;

const RSYSLOG: &str = r#"<definition id="oval:com.oracle.elsa:def:20224803" version="501" class="patch">
<metadata><title>ELSA-2022-4803: rsyslog security update (IMPORTANT)</title>
<reference source="elsa" ref_id="ELSA-2022-4803" ref_url="https://linux.oracle.com/errata/ELSA-2022-4803.html"/>
<advisory><severity>IMPORTANT</severity><issued date="2022-05-30"/>
<cve cvss3="8.1/CVSS:3.1/AV:N/AC:H/PR:N/UI:N/S:U/C:H/I:H/A:H" href="x" public="20220505">CVE-2022-24903</cve></advisory></metadata>
<criteria operator="AND"><criterion test_ref="a" comment="Oracle Linux 7 is installed"/>
<criteria operator="OR">
<criteria operator="AND"><criterion test_ref="b" comment="Oracle Linux arch is aarch64"/>
<criteria operator="OR"><criteria operator="AND">
<criterion test_ref="c" comment="rsyslog is earlier than 0:8.24.0-57.0.4.el7_9.3"/>
<criterion test_ref="d" comment="rsyslog is signed with the Oracle Linux 7 key"/></criteria></criteria></criteria>
<criteria operator="AND"><criterion test_ref="e" comment="Oracle Linux arch is x86_64"/>
<criteria operator="OR"><criteria operator="AND">
<criterion test_ref="f" comment="rsyslog is earlier than 0:8.24.0-57.0.1.el7_9.3"/>
<criterion test_ref="g" comment="rsyslog is signed with the Oracle Linux 7 key"/></criteria></criteria></criteria>
</criteria></criteria></definition>"#;

/// A module's and Ksplice's layouts.
const OTHERS: &str = r#"<definition id="oval:com.oracle.elsa:def:20219151" version="501" class="patch">
<metadata><title>ELSA-2021-9151: openssl security update (IMPORTANT)</title>
<reference source="elsa" ref_id="ELSA-2021-9151" ref_url="https://linux.oracle.com/errata/ELSA-2021-9151.html"/>
<advisory><severity>IMPORTANT</severity><issued date="2021-04-01"/><cve href="x">CVE-2021-3449</cve></advisory></metadata>
<criteria operator="AND"><criterion comment="Oracle Linux 8 is installed"/><criteria operator="OR">
<criteria operator="AND"><criterion comment="openssl is earlier than 2:1.1.1g-15.ksplice1.el8_3"/>
<criterion comment="openssl is signed with the Oracle Linux 8 key"/><criterion comment="openssl is ksplice-based"/></criteria>
<criteria operator="AND"><criterion comment="Module ruby:2.5 is enabled"/><criteria operator="OR"><criteria operator="AND">
<criterion comment="ruby-libs is earlier than 0:2.5.9-107.module+el8.4.0+20194+7b0d1f5b"/></criteria></criteria></criteria>
</criteria></criteria></definition>"#;

fn read(definitions: &str) -> Result<Vec<Record>, String> {
    let document = format!("{START}{definitions}{END}");
    let mut batch = Batch::default();
    Oracle.parse(document.as_bytes(), &mut batch).map(|()| batch.records)
}

fn rows(record: &Record) -> Vec<(&str, &str, String, Option<&str>)> {
    let row = |one: &'_ Affected| one.range().describe();
    let rows = record.affected.iter();
    rows.map(|one| {
        (
            one.ecosystem.as_str(),
            one.package.as_str(),
            row(one),
            one.module.as_deref(),
        )
    })
    .collect()
}

#[test]
fn a_definition_is_an_update() {
    assert!(Oracle.recognises("com.oracle.elsa-all.xml", format!("{START}{BIND}").as_bytes()));
    let records = read(&format!("{BIND}{RSYSLOG}{OTHERS}")).unwrap();
    let [bind, rsyslog, others] = records.as_slice() else {
        panic!("{records:?}")
    };
    assert_eq!(bind.id, "ELSA-2007-0057");
    assert_eq!(bind.fixes, ["CVE-2007-0493", "CVE-2007-0494"]);
    assert_eq!(bind.modified, "2007-06-26");
    assert_eq!(bind.severity, plimsoll_model::Severity::Medium);
    assert_eq!(bind.summary, "Moderate: bind security update (MODERATE)");
    let expected = ("Oracle Linux:5", "bind-libs", "< 30:9.3.3-8.el5".to_owned(), None);
    assert_eq!(rows(bind), [expected]);
    // Processors with builds of their own: the highest fix counts.
    assert_eq!(rsyslog.cvss.as_ref().map(|(score, _)| *score), Some(8.1));
    let fixes: Vec<_> = rsyslog
        .affected
        .iter()
        .map(|one| one.fixed.as_deref().unwrap())
        .collect();
    assert_eq!(fixes, ["0:8.24.0-57.0.4.el7_9.3"]);
    // Ksplice's own build says nothing of others; a module's package is of that module.
    let module = "< 0:2.5.9-107.module+el8.4.0+20194+7b0d1f5b".to_owned();
    assert_eq!(
        rows(others),
        [("Oracle Linux:8", "ruby-libs", module, Some("ruby:2.5"))]
    );
}

#[test]
fn what_is_cut_or_odd_is_an_error() {
    let whole = format!("{START}{BIND}{END}");
    let mut batch = Batch::default();
    for end in [whole.len() / 2, whole.len() - END.len(), 3] {
        assert!(Oracle.parse(&whole.as_bytes()[..end], &mut batch).is_err(), "{end}");
    }
    assert!(read(&BIND.replace("ELSA-2007-0057", "")).is_err());
    assert!(read(&BIND.replace("2007-06-26", "yesterday")).is_err());
    assert!(read(&"<a>".repeat(1000)).is_err());
    assert!(Oracle.parse(b"<html></html>", &mut batch).is_err());
}
