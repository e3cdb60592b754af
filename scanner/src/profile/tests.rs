//! Whole profiles of small images: what people see of them, and what must be judged.

use plimsoll_model::{Applet, FacetState, HealthCheck, PeerScope, Program, Verb};

use super::*;
use testing::Image;

const REDIS_ENTRY: &str = include_str!("../../tests/fixtures/entrypoint/redis.sh");
const POSTGRES_ENTRY: &str = include_str!("../../tests/fixtures/entrypoint/postgres.sh");
const NGINX_ENTRY: &str = include_str!("../../tests/fixtures/entrypoint/nginx.sh");

fn redis() -> Image {
    Image::debian()
        .binary("/usr/bin/redis-check-rdb", |facts| {
            facts.imports.exec = true;
            facts.imports.connect = true;
            facts.needed = vec!["libc.so.6".to_owned()];
        })
        .binary("/usr/lib/libc.so.6", |_| {})
        .link("/usr/bin/redis-server", "redis-check-rdb")
        .binaries(&["/usr/bin/redis-cli"])
        .package("redis-tools", "/usr/bin/redis-check-rdb")
        .script("/usr/local/bin/docker-entrypoint.sh", REDIS_ENTRY)
        .starts(&["docker-entrypoint.sh"], &["redis-server", "--protected-mode", "no"])
        .with(|config| {
            config.working_dir = "/data".to_owned();
            config.volumes = vec!["/data".to_owned()];
            config.exposed_ports = vec!["6379/tcp".to_owned()];
            config.health_check = Some(HealthCheck {
                test: vec!["CMD-SHELL".to_owned(), "redis-cli ping || exit 1".to_owned()],
            });
        })
}

fn postgres() -> Image {
    let bin = |name: &str| format!("/usr/lib/postgresql/15/bin/{name}");
    let names = ["postgres", "initdb", "pg_ctl", "psql", "createdb"].map(bin);
    Image::debian()
        .binaries(&names.each_ref().map(String::as_str))
        .binaries(&["/usr/bin/gzip", "/usr/bin/locale"])
        .script("/usr/bin/gunzip", "#!/bin/sh\nexec gzip -d \"$@\"\n")
        .package("postgresql-15", "/usr/lib/postgresql/15/bin/postgres")
        .script("/usr/local/bin/docker-entrypoint.sh", POSTGRES_ENTRY)
        .file(
            "/usr/share/postgresql/15/postgresql.conf.sample",
            0o644,
            "listen_addresses = '*'\nunix_socket_directories = '/var/run/postgresql'\n",
        )
        .starts(&["docker-entrypoint.sh"], &["postgres"])
        .with(|config| {
            config.env = vec![
                "PATH=/usr/local/bin:/usr/bin:/usr/sbin:/usr/lib/postgresql/15/bin".to_owned(),
                "PGDATA=/var/lib/postgresql/data".to_owned(),
            ];
            config.volumes = vec!["/var/lib/postgresql/data".to_owned()];
            config.exposed_ports = vec!["5432/tcp".to_owned()];
        })
}

fn nginx(site: &str) -> Image {
    Image::debian()
        .binaries(&["/usr/sbin/nginx", "/usr/bin/envsubst", "/usr/bin/mawk"])
        .link("/usr/bin/awk", "mawk")
        .package("nginx", "/usr/sbin/nginx")
        .link("/var/log/nginx/access.log", "/dev/stdout")
        .file(
            "/etc/nginx/nginx.conf",
            0o644,
            "user web;\npid /run/nginx.pid;\nhttp {\n access_log /var/log/nginx/access.log;\n include /etc/nginx/conf.d/*.conf;\n}\n",
        )
        .file("/etc/nginx/conf.d/default.conf", 0o644, site)
        .script("/docker-entrypoint.sh", NGINX_ENTRY)
        .file("/docker-entrypoint.d/15-resolvers.envsh", 0o755, "NAMES=$(awk '{print}' /etc/resolv.conf)\n")
        .script("/docker-entrypoint.d/20-templates.sh", "#!/bin/sh\nenvsubst < /in > /etc/nginx/conf.d/x.conf\n")
        .starts(&["/docker-entrypoint.sh"], &["nginx", "-g", "daemon off;"])
        .with(|config| config.exposed_ports = vec!["80/tcp".to_owned()])
}

fn state(profile: &Profile, verb: Verb, phase: Phase) -> Option<FacetState> {
    let mut facets = profile.facets.iter();
    let facet = facets.find(|facet| facet.verb == verb && facet.phase == phase);
    facet.map(|facet| facet.state)
}

fn reason(profile: &Profile, verb: Verb, phase: Phase) -> &str {
    let mut facets = profile.facets.iter();
    let facet = facets.find(|facet| facet.verb == verb && facet.phase == phase);
    facet.map_or("", |facet| &facet.reason)
}

/// `who -> what` of all exec facts in a phase, base names only.
fn edges(profile: &Profile, phase: Phase) -> Vec<String> {
    let name = |program: &Program| {
        let base = lookup::base_name(&program.path.0);
        match &program.applet {
            None => base.to_owned(),
            Some(Applet::Name(name)) => name.clone(),
            Some(Applet::Script(script)) => format!("{base}[{}]", lookup::base_name(script)),
        }
    };
    let mut found: Vec<String> = Vec::new();
    for fact in &profile.facts {
        if let (Action::Exec(to), true) = (&fact.action, fact.phases.contains(&phase)) {
            let from = match &fact.subject {
                Subject::Any => "*".to_owned(),
                Subject::Program(program) => name(program),
            };
            found.push(format!("{from} -> {}", name(to)));
        }
    }
    found.sort();
    found
}

/// The view without what every container may do, so that golden files show what the image says.
fn shown(image: &Image) -> String {
    let (profile, notes) = image.profile();
    assert_eq!(notes, []);
    let text = view(&profile);
    let mut lines: Vec<&str> = Vec::new();
    for line in text.lines() {
        if line.contains("image: any program:") || line.contains("programs and libraries are part of the image") {
            lines.pop();
        } else {
            lines.push(line);
        }
    }
    lines.join("\n")
}

#[test]
fn redis_as_people_see_it() {
    insta::assert_snapshot!(shown(&redis()));
}

#[test]
fn postgres_as_people_see_it() {
    insta::assert_snapshot!(shown(&postgres()));
}

#[test]
fn nginx_as_people_see_it() {
    insta::assert_snapshot!(shown(&nginx("server { listen 80; listen [::]:80; root /srv; }")));
}

#[test]
fn a_serving_redis_is_judged_in_everything() {
    let (profile, _) = redis().profile();
    for verb in [Verb::Exec, Verb::Listen, Verb::Connect, Verb::Write, Verb::Become] {
        assert_eq!(
            state(&profile, verb, Phase::Serving),
            Some(FacetState::Closed),
            "{verb:?}"
        );
    }
    for phase in [Phase::Entrypoint, Phase::Session, Phase::Probe] {
        assert_eq!(
            state(&profile, Verb::Exec, phase),
            Some(FacetState::Closed),
            "{phase:?}"
        );
    }
    assert_eq!(
        edges(&profile, Phase::Serving),
        ["dash[docker-entrypoint.sh] -> redis-server"]
    );
    assert_eq!(edges(&profile, Phase::Probe), ["* -> dash", "dash -> redis-cli"]);
    let listens: Vec<&Fact> = profile
        .facts
        .iter()
        .filter(|fact| fact.action.verb() == Verb::Listen)
        .collect();
    assert_eq!(listens.len(), 1);
    // EXPOSE and the pack agree.
    assert_eq!(listens[0].confidence, Confidence::A);
}

#[test]
fn a_pack_follows_settings_and_doubts_what_it_cannot_read() {
    let image = redis().starts(
        &["redis-server"],
        &[
            "--port",
            "7000",
            "--replicaof",
            "10.0.0.1",
            "7001",
            "--dir",
            "/var/lib/redis",
        ],
    );
    let (profile, _) = image.profile();
    let text = view(&profile);
    assert!(text.contains("anybody -> tcp/7000 [serving]"), "{text}");
    assert!(text.contains("redis-server -> any tcp/7001 [serving]"), "{text}");
    assert!(text.contains("redis-server -> /var/lib/redis/** [serving]"), "{text}");
    assert_eq!(state(&profile, Verb::Connect, Phase::Serving), Some(FacetState::Open));

    let (profile, _) = redis()
        .starts(&["redis-server"], &["/etc/redis/mounted.conf"])
        .profile();
    assert_eq!(state(&profile, Verb::Write, Phase::Serving), Some(FacetState::Open));
    assert_eq!(
        reason(&profile, Verb::Connect, Phase::Serving),
        "/etc/redis/mounted.conf is not in the image"
    );
}

#[test]
fn a_pack_is_for_its_package_or_for_none_and_then_less_sure() {
    let other = redis().package("something-else", "/usr/bin/redis-check-rdb");
    assert_eq!(other.profile().0.packs, Vec::<String>::new());
    let mut built = redis();
    built.sbom.packages.clear();
    let (profile, _) = built.profile();
    assert_eq!(
        profile.packs,
        ["redis 1 (main program redis-server, owned by no package)"]
    );
    let sure = profile.facts.iter().any(|fact| {
        fact.confidence == Confidence::A
            && fact
                .evidence
                .iter()
                .all(|item| item.source == plimsoll_model::EvidenceSource::Pack)
    });
    assert!(!sure);
}

#[test]
fn hook_folders_open_the_entrypoint_and_say_why() {
    let (profile, _) = postgres().profile();
    assert_eq!(state(&profile, Verb::Exec, Phase::Entrypoint), Some(FacetState::Open));
    let text = reason(&profile, Verb::Exec, Phase::Entrypoint);
    assert!(text.contains("docker-entrypoint.sh") && text.contains("more"), "{text}");
    let found = edges(&profile, Phase::Entrypoint);
    for edge in [
        "* -> env",
        "env -> bash[docker-entrypoint.sh]",
        "gosu -> env",
        "bash[docker-entrypoint.sh] -> initdb",
        "bash[docker-entrypoint.sh] -> psql",
        "bash[docker-entrypoint.sh] -> dash[gunzip]",
        "dash[gunzip] -> gzip",
        "initdb -> dash",
        "dash -> postgres",
    ] {
        assert!(found.iter().any(|known| known == edge), "{edge} in {found:#?}");
    }
    assert_eq!(state(&profile, Verb::Exec, Phase::Serving), Some(FacetState::Closed));
}

#[test]
fn hooks_are_run_or_read_as_their_names_say() {
    let (profile, _) = nginx("server { listen 80; }").profile();
    let found = edges(&profile, Phase::Entrypoint);
    for edge in [
        "dash[docker-entrypoint.sh] -> dash[20-templates.sh]",
        "dash[20-templates.sh] -> envsubst",
        "dash[docker-entrypoint.sh] -> awk",
    ] {
        assert!(found.iter().any(|known| known == edge), "{edge} in {found:#?}");
    }
    assert!(
        !found.iter().any(|edge| edge.contains("[15-resolvers.envsh]")),
        "{found:#?}"
    );
}

#[test]
fn a_script_that_stays_runs_the_main_program_beside_itself() {
    for script in [
        "#!/bin/sh\nredis-server --port 1 \"$@\" &\nserver=$!\nwait \"$server\"\n",
        "#!/bin/sh\nrun() { exec redis-server --port 1; }\nif x; then run; else\nrun &\nfi\nwait || true\n",
    ] {
        let (profile, _) = redis().script("/usr/local/bin/docker-entrypoint.sh", script).profile();
        let main = profile.main.as_ref().unwrap();
        assert_eq!(main.path.0, "/usr/bin/redis-check-rdb", "{script}");
        assert!(profile.packs[0].starts_with("redis 1"), "{:?}", profile.packs);
    }
}

#[test]
fn a_proxy_may_dial() {
    let (profile, _) = nginx("server { listen 8080; location / { proxy_pass http://backend; } }").profile();
    assert_eq!(state(&profile, Verb::Connect, Phase::Serving), Some(FacetState::Open));
    let dials = profile.facts.iter().any(|fact| {
        matches!(&fact.action, Action::Connect(peer) if peer.scope == PeerScope::Any && fact.phases == [Phase::Serving])
    });
    assert!(dials);
    assert!(!profile.denials.iter().any(|denial| denial.verb == Verb::Connect));
}

#[test]
fn commands_are_followed_in_every_form() {
    let image = || {
        Image::debian()
            .binaries(&["/usr/bin/app", "/usr/bin/python3.11"])
            .link("/usr/bin/python3", "python3.11")
    };
    for (entrypoint, cmd, main, chain) in [
        (&["tini", "--"][..], &["app", "-x"][..], "/usr/bin/app", "tini"),
        (&["/bin/sh", "-c"], &["exec app --serve"], "/usr/bin/app", "dash"),
        (&["/bin/sh", "-c"], &["app --serve"], "/usr/bin/app", "dash"),
        (&["tini", "gosu", "redis"], &["app"], "/usr/bin/app", "tini gosu"),
        (
            &[],
            &["python3", "-u", "main.py"],
            "/usr/bin/python3.11 running /srv/main.py",
            "",
        ),
        (&["./run.sh"], &["app"], "/usr/bin/app", "dash"),
        (&[], &["env", "A=1", "app"], "/usr/bin/app", "env"),
        (&["nothing-here"], &[], "not known", ""),
        (&[], &[], "not known", ""),
    ] {
        let image = image()
            .script("/srv/run.sh", "#!/bin/sh\n\"$@\"\n")
            .starts(entrypoint, cmd)
            .with(|config| config.working_dir = "/srv".to_owned());
        let (profile, _) = image.profile();
        assert_eq!(main_text(&profile), main, "{entrypoint:?} {cmd:?}");
        let names: Vec<&str> = profile
            .entrypoint
            .iter()
            .map(|program| lookup::base_name(&program.path.0))
            .collect();
        assert_eq!(names.join(" "), chain, "{entrypoint:?} {cmd:?}");
    }
}

#[test]
fn what_only_running_would_show_opens_the_facet() {
    for (script, word) in [
        ("eval \"$COMMAND\"\nexec app\n", "evaluates"),
        ("$COMMAND --x\nexec app\n", "only known when it runs"),
        (". \"$FILE\"\nexec app\n", "reads commands from a file"),
        ("if true; then\nexec app\n", "`if` without `fi`"),
        ("for f in /hooks/*; do \"$f\"; done\nexec app\n", "/hooks/*"),
        ("sh -c \"$X\"\nexec app\n", "only known when it runs"),
    ] {
        let image = Image::debian()
            .binaries(&["/usr/bin/app"])
            .script("/entry.sh", &format!("#!/bin/sh\n{script}"))
            .starts(&["/entry.sh"], &[]);
        let (profile, _) = image.profile();
        assert_eq!(
            state(&profile, Verb::Exec, Phase::Entrypoint),
            Some(FacetState::Open),
            "{script}"
        );
        let text = reason(&profile, Verb::Exec, Phase::Entrypoint);
        assert!(
            text.contains(word) && text.contains("/entry.sh"),
            "{script} gave {text}"
        );
    }
    let plain = Image::debian()
        .binaries(&["/usr/bin/app"])
        .script(
            "/entry.sh",
            "#!/bin/sh\nname=app\nif [ -n \"$X\" ]; then id; fi\nexec $name \"$@\"\n",
        )
        .starts(&["/entry.sh"], &["--x"]);
    let (profile, _) = plain.profile();
    assert_eq!(state(&profile, Verb::Exec, Phase::Entrypoint), Some(FacetState::Closed));
    assert_eq!(main_text(&profile), "/usr/bin/app");
}

#[test]
fn what_the_closure_does_not_import_is_denied() {
    let image = |change: fn(&mut plimsoll_model::ElfFacts)| {
        Image::debian()
            .binary("/usr/lib/libc.so.6", |facts| facts.imports.exec = true)
            .binary("/usr/bin/app", |facts| {
                facts.needed = vec!["libc.so.6".to_owned()];
                change(facts);
            })
            .starts(&["app"], &[])
    };
    let denied = |image: Image, verb: Verb| {
        let (profile, _) = image.profile();
        let mut denials = profile.denials.iter();
        denials
            .find(|denial| denial.verb == verb && denial.object.is_none())
            .map(|denial| denial.confidence)
    };
    assert_eq!(denied(image(|_| {}), Verb::Exec), Some(Confidence::A));
    assert_eq!(
        denied(image(|facts| facts.imports.dlopen = true), Verb::Exec),
        Some(Confidence::B)
    );
    assert_eq!(denied(image(|facts| facts.imports.exec = true), Verb::Exec), None);
    assert_eq!(
        denied(image(|facts| facts.needed.push("libgone.so".to_owned())), Verb::Exec),
        None
    );
    assert_eq!(denied(image(|facts| facts.is_static = true), Verb::Connect), None);
    assert_eq!(denied(image(|_| {}), Verb::Connect), Some(Confidence::B));
    let (profile, _) = image(|_| {})
        .with(|config| config.exposed_ports = vec!["80/tcp".to_owned()])
        .profile();
    assert!(!profile.denials.iter().any(|denial| denial.verb == Verb::Listen));
    assert_eq!(state(&profile, Verb::Connect, Phase::Serving), Some(FacetState::Closed));
}

#[test]
fn programs_are_never_written() {
    let (profile, _) = Image::debian().starts(&["sleep"], &["1"]).profile();
    let denied = |path: &str| {
        profile.denials.iter().any(|denial| {
            denial.verb == Verb::Write
                && denial.phases.is_empty()
                && denial.object.as_ref().is_some_and(|object| object.matches(path))
        })
    };
    for path in [
        "/usr/bin/x",
        "/usr/sbin/nginx",
        "/usr/lib/x86_64-linux-gnu/libc.so.6",
        "/usr/local/bin/a/b",
    ] {
        assert!(denied(path), "{path}");
    }
    assert!(!denied("/var/lib/x") && !denied("/usr/share/x") && !denied("/opt/app/logs/x"));
}

#[test]
fn scripts_that_never_end_are_cut() {
    let deep = format!("#!/bin/sh\n{}\n", "f() { f \"$@\" x; f x \"$@\"; }\n".repeat(3) + "f a");
    let wide = format!("#!/bin/sh\n{}", "id\n".repeat(30_000));
    // Each would need gigabytes if it were followed to its end.
    let text = format!(
        "#!/bin/sh\nx=aaaa\n{}",
        (0..12)
            .map(|n| format!(
                "x{n}={}\n",
                format!("$x{}", if n == 0 { String::new() } else { (n - 1).to_string() }).repeat(100)
            ))
            .collect::<String>()
    );
    let list = "#!/bin/sh\nf() { f \"$@\" \"$@\"; }\nf a b\n".to_owned();
    for script in [deep, wide, text, list] {
        let image = Image::debian().script("/entry.sh", &script).starts(&["/entry.sh"], &[]);
        let (profile, _) = image.profile();
        assert!(profile.main.is_none() || main_text(&profile) == "/usr/bin/id");
    }
    let itself = Image::debian()
        .script("/a.sh", "#!/bin/sh\nexec /a.sh x \"$@\"\n")
        .starts(&["/a.sh"], &[]);
    let (profile, notes) = itself.profile();
    assert_eq!(profile.main, None);
    assert!(notes.iter().any(|note| note.kind == NoteKind::Limit), "{notes:?}");
}

#[test]
fn hostile_text_does_not_reach_the_terminal() {
    let image = Image::debian().starts(&["sleep"], &[]).with(|config| {
        config.volumes = vec!["/data\u{1b}[2J\u{202e}".to_owned()];
    });
    let text = view(&image.profile().0);
    assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'));
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(64))]
    #[test]
    fn any_script_is_followed_to_an_end(words in proptest::collection::vec(proptest::sample::select(vec![
        "f() {", "}", "f", "\"$@\"", "exec", "eval", "$x", "x=$x$x", "set --", "shift", "for x in a /b/*; do", "done", "\n", ";", "|",
        "$(f \"$@\" a)", ". /entry.sh", "/entry.sh", "case $x in *.sh)", ";;", "esac", "read x", "find /b", "gosu redis", "id", "sh -c"]), 0..40)) {
        let image = Image::debian()
            .script("/entry.sh", &format!("#!/bin/sh\n{}", words.join(" ")))
            .script("/b/hook.sh", "#!/bin/sh\n/entry.sh \"$@\" b\n")
            .starts(&["/entry.sh"], &["a"]);
        let (profile, _) = image.profile();
        proptest::prop_assert!(!profile.facets.is_empty());
    }
}
