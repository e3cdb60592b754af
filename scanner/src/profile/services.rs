//! Programs that a main program starts because its own files say so (supervisord's services, a web server's CGI scripts) in,
//! the edges to them and what serves beside the main program out.

use plimsoll_model::{Confidence, FileKind, PathPattern};

use super::{
    explorer::{Call, Explorer, Launch},
    limits::MAX_HOOKS,
    lookup::{base_name, normalise},
    settings::words,
    value::Value,
};

/// Where supervisord looks for its configuration (<http://supervisord.org/configuration.html>).
const SUPERVISORD_FILES: &[&str] = &[
    "/etc/supervisord.conf",
    "/etc/supervisor/supervisord.conf",
    "/etc/supervisor.conf",
];

/// Follows what the main program starts by its files.
pub(super) fn follow(explorer: &mut Explorer<'_>) {
    let Some(main) = explorer.main.clone() else { return };
    let name = base_name(main.argv.first().map_or(main.invoked.as_str(), String::as_str)).to_owned();
    match name.as_str() {
        "supervisord" => supervised(explorer, &main),
        "httpd" if base_name(&main.program.path.0) == "busybox" => cgi_scripts(explorer, &main),
        _ => {}
    }
}

/// `[program:…]` sections and the files that `[include]` names.
fn supervised(explorer: &mut Explorer<'_>, main: &Launch) {
    let lookup = explorer.lookup;
    let named = option(main, &["-c", "--configuration"]).map(|path| normalise(&path, &lookup.working_dir));
    let files = named
        .into_iter()
        .chain(SUPERVISORD_FILES.iter().map(|path| (*path).to_owned()));
    let Some(first) = files.into_iter().find(|path| lookup.content(path).is_some()) else {
        explorer.open("supervisord", "its configuration is not in the image");
        return;
    };
    let mut commands = Vec::new();
    let mut included = Vec::new();
    read_sections(explorer, &first, &mut commands, &mut included);
    for path in included.into_iter().take(MAX_HOOKS) {
        read_sections(explorer, &path, &mut commands, &mut Vec::new());
    }
    for (command, place) in commands.into_iter().take(MAX_HOOKS) {
        let argv: Vec<Value> = words(&command).iter().map(|word| Value::from(word.as_str())).collect();
        let because = format!("{place}: {command}");
        if let Some(launch) = explorer.run_command(&argv, &served_by(main, because)) {
            explorer.services.push(launch);
        }
    }
}

fn read_sections(
    explorer: &Explorer<'_>,
    path: &str,
    commands: &mut Vec<(String, String)>,
    included: &mut Vec<String>,
) {
    let lookup = explorer.lookup;
    let content = lookup.content(path).unwrap_or_default();
    let mut section = String::new();
    for (number, line) in String::from_utf8_lossy(content).lines().enumerate() {
        let line = line.trim();
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            name.clone_into(&mut section);
        }
        let Some((name, value)) = line.split_once('=').map(|(name, value)| (name.trim(), value.trim())) else {
            continue;
        };
        let is_program = ["program:", "eventlistener:", "fcgi-program:"]
            .iter()
            .any(|kind| section.starts_with(kind));
        if is_program && name == "command" {
            commands.push((value.to_owned(), format!("line {} of {path}", number + 1)));
        } else if section == "include" && name == "files" {
            let folder = path.rsplit_once('/').map_or("/", |(folder, _)| folder);
            included.extend(
                value
                    .split_whitespace()
                    .flat_map(|pattern| lookup.matching(&normalise(pattern, folder))),
            );
        }
    }
}

/// busybox httpd runs what lies in `cgi-bin` below its home (<https://openwrt.org/docs/guide-user/services/webserver/http.httpd>).
fn cgi_scripts(explorer: &mut Explorer<'_>, main: &Launch) {
    let home = option(main, &["-h"]).unwrap_or_else(|| "/".to_owned());
    let folder = format!("{}/cgi-bin", normalise(&home, &explorer.lookup.working_dir));
    let set = PathPattern(format!("{folder}/*"));
    let scripts: Vec<String> = explorer
        .lookup
        .tree
        .below(&folder)
        .filter(|entry| entry.kind == FileKind::Regular && entry.mode & 0o111 != 0 && set.matches(&entry.path))
        .map(|entry| entry.path.clone())
        .take(MAX_HOOKS)
        .collect();
    // What cannot be followed in them is no reason to doubt the entry scripts.
    let openings = explorer.openings.clone();
    for script in scripts {
        explorer.run(
            &script,
            &[],
            &served_by(main, format!("{script} is a CGI program of httpd")),
        );
    }
    explorer.openings = openings;
}

fn served_by(main: &Launch, because: String) -> Call {
    Call {
        from: Some(main.program.clone()),
        because,
        confidence: Confidence::A,
        is_first: false,
        serves: true,
        user: main.user.clone(),
        depth: 1,
        path: Vec::new(),
    }
}

/// The value of an option of the main program's command line.
fn option(main: &Launch, names: &[&str]) -> Option<String> {
    let at = main.argv.iter().position(|word| names.contains(&word.as_str()))?;
    main.argv.get(at + 1).cloned()
}

#[cfg(test)]
mod tests {
    use plimsoll_model::{Action, FacetState, Phase, Verb};

    use crate::profile::testing::Image;

    #[test]
    fn services_of_a_manager_are_started_and_each_has_its_pack() {
        let conf = "[supervisord]\ncommand=/bin/no\n[include]\nfiles = conf.d/*.conf\n";
        let services = "[program:one]\ncommand=redis-server --port 7\n[program:two]\ncommand = memcached -p 8\n";
        let image = Image::debian()
            .binaries(&["/usr/bin/redis-server", "/usr/bin/memcached", "/usr/bin/python3"])
            .package("redis-server", "/usr/bin/redis-server")
            .package("memcached", "/usr/bin/memcached")
            .script("/usr/bin/supervisord", "#!/usr/bin/python3\n")
            .file("/etc/supervisor/supervisord.conf", 0o644, conf)
            .file("/etc/supervisor/conf.d/a.conf", 0o644, services)
            .starts(&[], &["supervisord"]);
        let (profile, _) = image.profile();
        let packs: Vec<&str> = profile.packs.iter().filter_map(|pack| pack.split(' ').next()).collect();
        assert_eq!(packs, ["supervisord", "redis", "memcached"]);
        let starts = |name: &str| {
            profile.facts.iter().any(|fact| {
                fact.phases.contains(&Phase::Serving)
                    && matches!(&fact.action, Action::Exec(to) if to.path.0.ends_with(name))
            })
        };
        assert!(starts("/redis-server") && starts("/memcached") && !starts("/no"));
        let writes = profile
            .facets
            .iter()
            .find(|facet| (facet.verb, facet.phase) == (Verb::Write, Phase::Serving));
        assert_eq!(writes.map(|facet| facet.state), Some(FacetState::Closed));
    }
}
