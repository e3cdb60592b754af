//! Excerpts of Red Hat's documents: RHSA-2024:0811 and RHSA-2024:1431 with fewer packages, and the record of CVE-2022-27943
//! as its guide to the data shows it, with what is said of other packages in the same form.

use super::*;

/// Products and packages of the excerpts: `(product id, cpe or purl)`, then wholes of `part:of`.
fn document(
    category: &str,
    id: &str,
    products: &[(&str, &str)],
    parts: &[(&str, &str)],
    vulnerability: &str,
) -> String {
    let branch = |(id, helper): &(&str, &str)| {
        let kind = if helper.starts_with("cpe:") { "cpe" } else { "purl" };
        format!(
            r#"{{"category":"product_version","name":"{id}","product":{{"name":"{id}","product_id":"{id}",
            "product_identification_helper":{{"{kind}":"{helper}"}}}}}}"#
        )
    };
    let relation = |(part, whole): &(&str, &str)| {
        format!(
            r#"{{"category":"default_component_of","full_product_name":{{"name":"x","product_id":"{whole}:{part}"}},
            "product_reference":"{part}","relates_to_product_reference":"{whole}"}}"#
        )
    };
    let branches: Vec<String> = products.iter().map(branch).collect();
    let relations: Vec<String> = parts.iter().map(relation).collect();
    format!(
        r#"{{"document":{{"aggregate_severity":{{"namespace":"https://access.redhat.com/security/updates/classification/",
        "text":"Moderate"}},"category":"{category}","csaf_version":"2.0","lang":"en","publisher":{{"category":"vendor",
        "name":"Red Hat Product Security","namespace":"https://www.redhat.com"}},"title":"Red Hat Security Advisory: sudo security update",
        "tracking":{{"id":"{id}","current_release_date":"2026-04-01T19:04:12+00:00"}}}},
        "product_tree":{{"branches":[{{"category":"vendor","name":"Red Hat","branches":[{}]}}],"relationships":[{}]}},
        "vulnerabilities":[{vulnerability}]}}"#,
        branches.join(","),
        relations.join(",")
    )
}

fn read(text: &str) -> Result<Record, String> {
    assert!(Csaf.recognises("x.json", text.as_bytes()));
    let mut batch = Batch::default();
    Csaf.parse(text.as_bytes(), &mut batch)?;
    batch.records.pop().ok_or_else(|| "no record".to_owned())
}

/// Release, package, range, state, severity and module of each row.
fn rows(record: &Record) -> Vec<String> {
    let rows = record.affected.iter();
    rows.map(|one| {
        let module = one
            .module
            .as_deref()
            .map_or(String::new(), |module| format!(" [{module}]"));
        format!(
            "{} {} {} {:?} {:?}{module}",
            one.ecosystem,
            one.package,
            one.range().describe(),
            one.state,
            one.severity
        )
    })
    .collect()
}

fn advisory() -> String {
    document(
        "csaf_security_advisory",
        "RHSA-2024:0811",
        &[
            ("BaseOS-8.9.0.Z.MAIN", "cpe:/o:redhat:enterprise_linux:8::baseos"),
            ("AppStream-8.9.0.Z.MAIN", "cpe:/a:redhat:enterprise_linux:8::appstream"),
            ("BaseOS-8.6.0.Z.EUS", "cpe:/o:redhat:rhel_eus:8.6::baseos"),
            (
                "sudo-0:1.9.5p2-1.el8_9.x86_64",
                "pkg:rpm/redhat/sudo@1.9.5p2-1.el8_9?arch=x86_64",
            ),
            (
                "sudo-0:1.9.5p2-1.el8_9.aarch64",
                "pkg:rpm/redhat/sudo@1.9.5p2-1.el8_9?arch=aarch64",
            ),
            (
                "sudo-debuginfo-0:1.9.5p2-1.el8_9.x86_64",
                "pkg:rpm/redhat/sudo-debuginfo@1.9.5p2-1.el8_9?arch=x86_64",
            ),
            (
                "sudo-0:1.9.5p2-1.el8_6.x86_64",
                "pkg:rpm/redhat/sudo@1.9.5p2-1.el8_6?arch=x86_64",
            ),
            (
                "bind-32:9.8.2-0.68.x86_64",
                "pkg:rpm/redhat/bind@9.8.2-0.68?arch=x86_64&epoch=32",
            ),
            (
                "ruby-0:3.1.4-142.module+el8.9.0+21471+7d1e4a35.x86_64::ruby:3.1",
                "pkg:rpm/redhat/ruby@3.1.4-142.module%2Bel8.9.0%2B21471%2B7d1e4a35?arch=x86_64&rpmmod=ruby:3.1:8090020240311122605:a75119d5",
            ),
            (
                "ruby:3.1:8090020240311122605",
                "pkg:rpmmod/redhat/ruby@3.1:8090020240311122605:a75119d5",
            ),
            (
                "ruby-libs-0:3.1.4-142.module+el8.9.0+21471+7d1e4a35.x86_64",
                "pkg:rpm/redhat/ruby-libs@3.1.4-142.module%2Bel8.9.0%2B21471%2B7d1e4a35?arch=x86_64",
            ),
        ],
        &[
            ("sudo-0:1.9.5p2-1.el8_9.x86_64", "BaseOS-8.9.0.Z.MAIN"),
            ("sudo-0:1.9.5p2-1.el8_9.aarch64", "BaseOS-8.9.0.Z.MAIN"),
            ("sudo-debuginfo-0:1.9.5p2-1.el8_9.x86_64", "BaseOS-8.9.0.Z.MAIN"),
            ("sudo-0:1.9.5p2-1.el8_6.x86_64", "BaseOS-8.6.0.Z.EUS"),
            ("bind-32:9.8.2-0.68.x86_64", "BaseOS-8.9.0.Z.MAIN"),
            (
                "ruby-0:3.1.4-142.module+el8.9.0+21471+7d1e4a35.x86_64::ruby:3.1",
                "AppStream-8.9.0.Z.MAIN",
            ),
            ("ruby:3.1:8090020240311122605", "AppStream-8.9.0.Z.MAIN"),
            (
                "ruby-libs-0:3.1.4-142.module+el8.9.0+21471+7d1e4a35.x86_64",
                "AppStream-8.9.0.Z.MAIN:ruby:3.1:8090020240311122605",
            ),
        ],
        r#"{"cve":"CVE-2023-28486","title":"sudo: Sudo does not escape control characters in log messages",
        "product_status":{"fixed":["BaseOS-8.9.0.Z.MAIN:sudo-0:1.9.5p2-1.el8_9.x86_64",
        "BaseOS-8.9.0.Z.MAIN:sudo-0:1.9.5p2-1.el8_9.aarch64","BaseOS-8.9.0.Z.MAIN:sudo-debuginfo-0:1.9.5p2-1.el8_9.x86_64",
        "BaseOS-8.6.0.Z.EUS:sudo-0:1.9.5p2-1.el8_6.x86_64","BaseOS-8.9.0.Z.MAIN:bind-32:9.8.2-0.68.x86_64",
        "AppStream-8.9.0.Z.MAIN:ruby-0:3.1.4-142.module+el8.9.0+21471+7d1e4a35.x86_64::ruby:3.1",
        "AppStream-8.9.0.Z.MAIN:ruby:3.1:8090020240311122605:ruby-libs-0:3.1.4-142.module+el8.9.0+21471+7d1e4a35.x86_64"]},
        "scores":[{"cvss_v3":{"baseScore":5.3,"vectorString":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:L/A:N","version":"3.1"},
        "products":[]}],"threats":[{"category":"impact","details":"Moderate"}]}"#,
    )
}

#[test]
fn an_advisory_is_an_update_of_the_main_releases() {
    let record = read(&advisory()).unwrap();
    assert_eq!((record.source, record.id.as_str()), ("redhat", "RHSA-2024:0811"));
    assert_eq!(record.fixes, ["CVE-2023-28486"]);
    assert_eq!(record.modified, "2026-04-01T19:04:12Z");
    assert_eq!(record.severity, Severity::Medium);
    assert_eq!(record.summary, "Red Hat Security Advisory: sudo security update");
    assert_eq!(record.cvss.as_ref().map(|(score, _)| *score), Some(5.3));
    // One row for both processors; neither symbols nor extended support; modules by label and by relationship.
    let ruby = "3.1.4-142.module+el8.9.0+21471+7d1e4a35";
    assert_eq!(
        rows(&record),
        [
            "Red Hat:8 bind < 32:9.8.2-0.68 Fixed Unknown".to_owned(),
            format!("Red Hat:8 ruby < {ruby} Fixed Unknown [ruby:3.1]"),
            format!("Red Hat:8 ruby-libs < {ruby} Fixed Unknown [ruby:3.1]"),
            "Red Hat:8 sudo < 1.9.5p2-1.el8_9 Fixed Unknown".to_owned(),
        ]
    );
}

fn record_of_a_cve() -> String {
    let linux = "red_hat_enterprise_linux_9";
    let (gcc, sudo) = ("gcc", "sudo-0:1.9.5p2-10.el9_3.src");
    document(
        "csaf_vex",
        "CVE-2022-27943",
        &[
            (linux, "cpe:/o:redhat:enterprise_linux:9"),
            ("red_hat_virtualization_4", "cpe:/o:redhat:rhev_hypervisor:4"),
            (gcc, "pkg:rpm/redhat/gcc?arch=src"),
            ("emacs", "pkg:rpm/redhat/emacs?arch=src"),
            ("mingw-gcc", "pkg:rpm/redhat/mingw-gcc?arch=src"),
            ("nodejs:16/nodejs", "pkg:rpm/redhat/nodejs?arch=src"),
            ("nano", "pkg:rpm/redhat/nano?arch=src"),
            ("vim", "pkg:rpm/redhat/vim?arch=src"),
            (sudo, "pkg:rpm/redhat/sudo@1.9.5p2-10.el9_3?arch=src"),
            ("openshift4/ose-cli", "pkg:oci/ose-cli?repository_url=x"),
        ],
        &[
            (gcc, linux),
            (gcc, "red_hat_virtualization_4"),
            ("emacs", linux),
            ("mingw-gcc", linux),
            ("nodejs:16/nodejs", linux),
            ("nano", linux),
            ("vim", linux),
            (sudo, linux),
            ("openshift4/ose-cli", linux),
        ],
        r#"{"cve":"CVE-2022-27943","title":"binutils: libiberty/rust-demangle.c in GNU GCC 11.2 allows stack exhaustion",
        "product_status":{"known_affected":["red_hat_enterprise_linux_9:gcc","red_hat_virtualization_4:gcc",
        "red_hat_enterprise_linux_9:emacs","red_hat_enterprise_linux_9:mingw-gcc","red_hat_enterprise_linux_9:nodejs:16/nodejs",
        "red_hat_enterprise_linux_9:openshift4/ose-cli"],"known_not_affected":["red_hat_enterprise_linux_9:nano"],
        "under_investigation":["red_hat_enterprise_linux_9:vim"],"fixed":["red_hat_enterprise_linux_9:sudo-0:1.9.5p2-10.el9_3.src"]},
        "remediations":[{"category":"none_available","details":"Fix deferred","product_ids":["red_hat_enterprise_linux_9:gcc"]},
        {"category":"no_fix_planned","details":"Will not fix","product_ids":["red_hat_enterprise_linux_9:emacs"]},
        {"category":"no_fix_planned","details":"Out of support scope","product_ids":["red_hat_enterprise_linux_9:mingw-gcc"]},
        {"category":"workaround","details":"Do not do that.","product_ids":["red_hat_enterprise_linux_9:nodejs:16/nodejs"]}],
        "scores":[{"cvss_v3":{"vectorString":"CVSS:3.1/AV:L/AC:L/PR:N/UI:R/S:U/C:N/I:N/A:H","version":"3.1"}}],
        "threats":[{"category":"impact","details":"Low","product_ids":["red_hat_enterprise_linux_9:gcc"]}]}"#,
    )
}

#[test]
fn a_record_of_a_cve_says_what_is_planned() {
    let record = read(&record_of_a_cve()).unwrap();
    assert_eq!((record.key.as_str(), record.fixes.len()), ("CVE-2022-27943", 0));
    assert!(record.summary.starts_with("binutils: libiberty"));
    assert_eq!(
        rows(&record),
        [
            "Red Hat:9 sudo < 1.9.5p2-10.el9_3 Fixed Unknown",
            "Red Hat:9 emacs any version WillNotFix Unknown",
            "Red Hat:9 gcc any version Deferred Low",
            "Red Hat:9 mingw-gcc any version EndOfLife Unknown",
            "Red Hat:9 nodejs any version Affected Unknown [nodejs:16]",
            "Red Hat:9 vim any version UnderInvestigation Unknown",
            "Red Hat:9 nano any version NotAffected Unknown",
        ]
    );
}

#[test]
fn others_profiles_and_publishers_are_refused() {
    let whole = advisory();
    for (from, to) in [
        ("https://www.redhat.com", "https://example.com"),
        ("csaf_security_advisory", "csaf_base"),
        ("csaf_security_advisory", "csaf_vex"),
        ("RHSA-2024:0811", ""),
        ("sudo@1", "s\\u0000@1"),
    ] {
        let text = whole.replace(from, to);
        assert_ne!(text, whole, "{from}");
        assert!(read(&text).is_err(), "{to}");
    }
    let deep = format!("{}{}", r#"{"branches":["#.repeat(40), "]}".repeat(40));
    let text = whole.replace(
        r#"{"category":"vendor","name":"Red Hat","branches":["#,
        &format!("{deep},{{\"branches\":["),
    );
    assert!(read(&text).unwrap_err().contains("branches deep"));
    // An update of bugs alone.
    let mut batch = Batch::default();
    let text = whole.replace("CVE-2023-28486", "");
    Csaf.parse(text.as_bytes(), &mut batch).unwrap();
    assert!(batch.records.is_empty());
}
