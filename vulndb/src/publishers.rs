//! Where feeds are published: what an update renews when nobody says otherwise.

use crate::FeedSource;

/// Names and addresses of the publishers' own files.
const PUBLISHERS: &[(&str, &str)] = &[
    (
        "kev",
        "https://www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities.json",
    ),
    ("epss", "https://epss.empiricalsecurity.com/epss_scores-current.csv.gz"),
    ("debian", "https://security-tracker.debian.org/tracker/data/json"),
    (
        "oracle",
        "https://linux.oracle.com/security/oval/com.oracle.elsa-all.xml.bz2",
    ),
    (
        "ssvc",
        "https://github.com/cisagov/vulnrichment/archive/refs/heads/develop.zip",
    ),
    ("arch", "https://security.archlinux.org/issues/all.json"),
    (
        "rubysec",
        "https://github.com/rubysec/ruby-advisory-db/archive/refs/heads/master.zip",
    ),
    (
        "friendsofphp",
        "https://github.com/FriendsOfPHP/security-advisories/archive/refs/heads/master.zip",
    ),
];

/// Where OSV.dev publishes an archive per ecosystem (<https://google.github.io/osv.dev/data/>).
const OSV: &str = "https://osv-vulnerabilities.storage.googleapis.com";

/// OSV's ecosystems that images have packages of. Debian's own tracker knows more of Debian than OSV does.
const OSV_ECOSYSTEMS: &[&str] = &[
    "AlmaLinux",
    "Alpine",
    "Bitnami",
    "Chainguard",
    "Go",
    "Maven",
    "NuGet",
    "Packagist",
    "PyPI",
    "Red Hat",
    "Rocky Linux",
    "RubyGems",
    "SUSE",
    "Ubuntu",
    "Wolfi",
    "crates.io",
    "npm",
    "openSUSE",
];

/// The publishers of all feeds that can be had as one file each.
pub fn default_feeds() -> Vec<FeedSource> {
    let own = PUBLISHERS.iter().map(|(name, url)| format!("{name}={url}"));
    let osv = OSV_ECOSYSTEMS.iter().map(|ecosystem| {
        let name = ecosystem.to_lowercase().replace(' ', "-");
        format!("osv-{name}={OSV}/{}/all.zip", ecosystem.replace(' ', "%20"))
    });
    // A test holds that all of them can be parsed.
    own.chain(osv)
        .filter_map(|text| FeedSource::parse(&text).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_publishers_are_named_well() {
        let feeds = default_feeds();
        assert_eq!(feeds.len(), PUBLISHERS.len() + OSV_ECOSYSTEMS.len());
        assert_eq!(FeedSource::join(feeds.clone()), feeds, "no name stands twice");
    }
}
