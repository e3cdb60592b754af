//! The cheap part of the behaviour suite (`make behaviour` runs all of it): real images, normal work in silence, attacks
//! flagged.

use plimsoll_tests::{
    behaviour::{self, Images, Options, Verdict},
    container, machine, repository,
};

#[test]
fn normal_work_is_silent_and_attacks_are_flagged() {
    let name = "normal_work_is_silent_and_attacks_are_flagged";
    if let Some(reason) = machine::why_no_bpf().or_else(container::why_no_images) {
        machine::say_skipped(name, &reason);
        return;
    }
    let own = repository::root().join("tests/behaviour");
    let mut images = Images::read(&own.join("images.yaml")).unwrap();
    let suites = behaviour::load(&own, &mut images).unwrap();
    images.images.retain(|name, spec| {
        let is_built = spec.is_built();
        if spec.is_quick && !is_built {
            machine::say_skipped(
                &format!("behaviour of {name}"),
                "its image is not built: run scripts/behaviour/images.sh",
            );
        }
        spec.is_quick && is_built
    });
    if images.images.is_empty() {
        return;
    }
    let options = Options {
        images,
        suites,
        names: Vec::new(),
        jobs: 2,
        folder: repository::root().join("target/behaviour/quick"),
    };
    let (outcomes, _) = behaviour::run(&options).unwrap();
    let complaints: Vec<String> = outcomes.iter().flat_map(|outcome| outcome.complaints()).collect();
    assert!(complaints.is_empty(), "{complaints:#?}");
    for outcome in outcomes {
        let flagged = outcome.count(|verdict| *verdict == Verdict::Flagged);
        assert!(flagged > 0, "no attack on {} was flagged", outcome.name);
    }
}

#[test]
fn every_pack_that_says_it_was_run_has_a_suite() {
    let own = repository::root().join("tests/behaviour");
    let mut images = Images::read(&own.join("images.yaml")).unwrap();
    let suites = behaviour::load(&own, &mut images).unwrap();
    let services: Vec<&str> = suites.iter().map(|suite| suite.service.as_str()).collect();
    // The suite is named after the software; these packs have another name.
    let called = |pack: &str| match pack {
        "httpd" => "apache".to_owned(),
        "mysql" => "mariadb".to_owned(),
        name => name.to_owned(),
    };
    for pack in plimsoll_rules::packs::shipped() {
        let has_suite = services.contains(&called(&pack.name).as_str());
        let was_run = pack.basis == plimsoll_rules::packs::Basis::Run;
        assert_eq!(was_run, has_suite, "pack {}", pack.name);
    }
}
