//! A real agent and what it is itself: what is left of root's power, what it says it costs, whose names it knows, and what it
//! knows of what was there before it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use plimsoll_runtime::{
    confine::KEPT,
    meter::{Reading, SCHEMA},
};
use plimsoll_tests::{
    agent::Agent,
    command,
    container::{self, Container},
    machine, repository,
    stage::Stage,
};

/// An agent with one rule and nothing else; `HERE` in the condition is this folder.
fn start_agent(stage: &Stage, condition: &str, arguments: &[&str]) -> Agent {
    let condition = condition.replace("HERE", stage.path().to_str().unwrap());
    let rule = format!(
        "- rule: ours\n  desc: d\n  condition: {condition}\n  output: \"user=%user.name home=%user.homedir shell=%user.shell \
         group=%group.name fd=%fd.name\"\n  priority: WARNING\n"
    );
    fs::write(stage.at("rules.yaml"), rule).unwrap();
    let (rules, images, run) = (stage.at("rules.yaml"), stage.at("images"), stage.at("run"));
    let own = [
        "--no-shipped-rules",
        "--rules",
        &rules,
        "--images",
        &images,
        "--run",
        &run,
    ];
    Agent::start(own.iter().chain(arguments)).unwrap()
}

fn status(path: &Path, name: &str) -> String {
    let text = fs::read_to_string(path).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim().to_owned()
}

/// Capabilities' numbers (linux/capability.h).
fn number_of(name: &str) -> u32 {
    match name {
        "CAP_DAC_READ_SEARCH" => 2,
        "CAP_NET_ADMIN" => 12,
        "CAP_SYS_PTRACE" => 19,
        "CAP_PERFMON" => 38,
        "CAP_BPF" => 39,
        other => panic!("{other} is new: does the agent need it?"),
    }
}

#[test]
fn little_is_left_of_roots_power_on_any_thread() {
    let Some(stage) = Stage::new("what is left of root", &[]) else {
        return;
    };
    let agent = start_agent(
        &stage,
        "evt.type=execve and proc.exepath=HERE/one",
        &["--metrics", "127.0.0.1:0"],
    );
    let kept: u64 = KEPT.iter().map(|kept| 1 << number_of(kept.name)).sum();
    let tasks: Vec<PathBuf> = fs::read_dir(format!("/proc/{}/task", agent.pid()))
        .unwrap()
        .map(|task| task.unwrap().path().join("status"))
        .collect();
    assert!(tasks.len() > 4, "{tasks:?}");
    for task in &tasks {
        let name = status(task, "Name:");
        assert_eq!(status(task, "Seccomp:"), "2", "{name}");
        assert_eq!(status(task, "NoNewPrivs:"), "1", "{name}");
        for set in ["CapEff:", "CapPrm:", "CapBnd:"] {
            let bits = u64::from_str_radix(&status(task, set), 16).unwrap();
            assert_eq!(bits & !kept, 0, "{name} {set} {bits:x}");
        }
        assert_eq!(status(task, "CapInh:"), "0000000000000000", "{name}");
    }
    // And it still does its work.
    assert!(Command::new(stage.program("one")).status().unwrap().success());
    agent.find_alert(|alert| alert.rule == "ours").unwrap();
}

#[test]
fn the_unit_grants_what_the_agent_keeps_and_no_more() {
    let text = fs::read_to_string(repository::root().join("deploy/systemd/plimsoll-agent.service")).unwrap();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("CapabilityBoundingSet="))
        .unwrap();
    let granted: BTreeSet<&str> = line.split_whitespace().collect();
    assert_eq!(granted, KEPT.iter().map(|kept| kept.name).collect());
    assert!(text.lines().any(|line| line == "Type=notify"), "{text}");
    assert!(text.lines().any(|line| line == "NoNewPrivileges=yes"), "{text}");
}

/// The port that metrics are served at: the system chose one that nobody uses.
fn metrics_port(agent: &Agent) -> u16 {
    let (_, rest) = agent.ready_line().split_once("metrics at http://127.0.0.1:").unwrap();
    rest.split('/').next().unwrap().parse().unwrap()
}

fn get(port: u16, request: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(stream, "{request} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Repeats until `look` gives something.
fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(120);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(std::time::Instant::now() < deadline, "{what} never came");
        std::thread::yield_now();
    }
}

#[test]
fn metrics_are_what_prometheus_own_tool_takes() {
    let Some(stage) = Stage::new("metrics", &[]) else {
        return;
    };
    let agent = start_agent(
        &stage,
        "evt.type=execve and proc.exepath=HERE/one",
        &["--metrics", "127.0.0.1:0"],
    );
    let port = metrics_port(&agent);
    assert!(Command::new(stage.program("one")).status().unwrap().success());
    agent.find_alert(|alert| alert.rule == "ours").unwrap();
    let answer = wait_for("the rule's match", || {
        let answer = get(port, "GET /metrics");
        answer
            .contains("plimsoll_agent_rule_matches_total{rule=\"ours\"} 1\n")
            .then_some(answer)
    });
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
    for expected in [
        "plimsoll_agent_alerts_total{title=\"ours\"} 1",
        "plimsoll_agent_lost_total{place=\"queue\",kind=\"\"} 0",
        "plimsoll_agent_sensor_info{sensor=\"programs executed\",mechanism=\"typed tracepoint\"} 1",
        "plimsoll_agent_queue_limit{queue=\"batches\"} 256",
    ] {
        assert!(
            body.lines().any(|line| line == expected),
            "{expected} is missing in {body}"
        );
    }
    let value = |name: &str| -> f64 {
        let line = body.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().parse().unwrap()
    };
    assert!(value("plimsoll_agent_resident_bytes ") > 1e6, "{body}");
    assert!(value("plimsoll_agent_events_total{kind=\"exec\"} ") >= 1.0, "{body}");
    assert!(get(port, "GET /").starts_with("HTTP/1.1 404"));
    if !machine::has("promtool") {
        machine::say_skipped("promtool", "it is not installed (package prometheus)");
        return;
    }
    let mut tool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    tool.stdin.take().unwrap().write_all(body.as_bytes()).unwrap();
    let output = tool.wait_with_output().unwrap();
    assert!(
        output.status.success() && output.stdout.is_empty() && output.stderr.is_empty(),
        "{output:?} about {body}"
    );
}

#[test]
fn top_asks_a_running_agent_what_it_costs() {
    let Some(stage) = Stage::new("top", &[]) else { return };
    let run = stage.at("run");
    let nobody = command::run(["agent", "top", "--once", "--run", &run]);
    assert_eq!(nobody.code, Some(3), "{nobody:?}");
    assert!(nobody.stderr.contains("hint:"), "{nobody:?}");

    let agent = start_agent(&stage, "evt.type=execve and proc.exepath=HERE/busy", &[]);
    let busy = stage.program("busy");
    for _ in 0..40 {
        assert!(Command::new(&busy).status().unwrap().success());
    }
    let ask = || -> Reading {
        let said = command::run(["agent", "top", "--once", "--format", "json", "--run", &run]);
        assert_eq!(said.code, Some(0), "{said:?}");
        serde_json::from_str(&said.stdout).unwrap()
    };
    let reading = wait_for("forty matches", || {
        let reading = ask();
        reading
            .rules
            .iter()
            .any(|rule| rule.name == "ours" && rule.count == 40)
            .then_some(reading)
    });
    assert_eq!((reading.schema.as_str(), reading.pid), (SCHEMA, agent.pid()));
    assert!(
        reading.cpu_seconds > 0.0 && reading.resident_bytes > 1 << 20,
        "{reading:?}"
    );
    let name = busy.to_str().unwrap();
    let program = reading.programs.iter().find(|one| one.program == name).unwrap();
    assert!(program.events >= 40 && program.container.is_none(), "{program:?}");
    assert!(
        reading.threads.iter().any(|thread| thread.name == "sensors"),
        "{reading:?}"
    );

    let said = command::run(["agent", "top", "--once", "--interval", "1", "--run", &run]);
    assert_eq!(said.code, Some(0), "{said:?}");
    for expected in [
        &format!("process {}", agent.pid()),
        "processor",
        "rules that held",
        "ours",
    ] {
        assert!(
            said.stdout.contains(expected),
            "{expected} is missing in {}",
            said.stdout
        );
    }
    let socket = stage.path().join(format!("run/agent-{}.sock", agent.pid()));
    assert!(socket.exists());
    agent.stop().unwrap();
    assert!(!socket.exists(), "it goes with the agent");
}

#[test]
fn users_have_the_names_that_this_machine_gives_them() {
    let Some(stage) = Stage::new("users of the machine", &[]) else {
        return;
    };
    let agent = start_agent(
        &stage,
        "evt.type=execve and proc.exepath=HERE/who and user.name=nobody",
        &[],
    );
    let who = stage.program("who");
    // Others may look into the folder.
    Command::new("chmod").args(["755", &stage.at("")]).status().unwrap();
    assert!(Command::new(&who).status().unwrap().success(), "as root: not meant");
    let status = Command::new("setpriv")
        .args(["--reuid=nobody", "--regid=nogroup", "--clear-groups"])
        .arg(&who)
        .status()
        .unwrap();
    assert!(status.success());
    let alert = agent.find_alert(|alert| alert.rule == "ours").unwrap();
    let text = serde_json::to_string(&alert).unwrap();
    for expected in [
        "user=nobody",
        "home=/nonexistent",
        "shell=/usr/sbin/nologin",
        "group=nogroup",
    ] {
        assert!(text.contains(expected), "{expected} is missing in {text}");
    }
    let (left, _) = agent.stop().unwrap();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn users_of_a_container_have_its_own_names() {
    let Some(stage) = Stage::new("users of a container", &[]) else {
        return;
    };
    if let Some(reason) = container::why_no_images() {
        return machine::say_skipped("users of a container", &reason);
    }
    // The agent is there first: nothing that the container does goes without names.
    let agent = start_agent(
        &stage,
        "evt.type=execve and container.id!=host and user.name=redis",
        &[],
    );
    let redis = Container::start(
        "redis",
        &["--volume", &format!("{}:/mounted:ro", stage.at("images"))],
        &[],
    )
    .unwrap();
    let alert = agent.next_alert(&redis.id).unwrap();
    let text = serde_json::to_string(&alert).unwrap();
    for expected in ["user=redis", "group=redis", "home=/var/lib/redis"] {
        assert!(text.contains(expected), "{expected} is missing in {text}");
    }
}

#[test]
fn what_was_open_before_the_agent_has_its_name() {
    let Some(stage) = Stage::new("descriptors from before", &[]) else {
        return;
    };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let script =
        format!("exec 5<>/dev/tcp/127.0.0.1/{port}; echo connected; read -r go; exec 0<&5; echo done; exec sleep 600");
    let mut child = Command::new("bash")
        .args(["-c", &script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(said.next().unwrap().unwrap(), "connected");

    let agent = start_agent(
        &stage,
        &format!("evt.type in (dup, dup2, dup3) and fd.sport={port}"),
        &[],
    );
    child.stdin.take().unwrap().write_all(b"go\n").unwrap();
    assert_eq!(said.next().unwrap().unwrap(), "done");
    let alert = agent.find_alert(|alert| alert.rule == "ours").unwrap();
    let text = serde_json::to_string(&alert).unwrap();
    assert!(text.contains(&format!("->127.0.0.1:{port}")), "{text}");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_report_that_is_written_anew_judges_the_container_that_runs() {
    let Some(stage) = Stage::new("a report written anew", &[]) else {
        return;
    };
    let report = container::demo_folder().join("reports/nginx.json");
    if let Some(reason) =
        container::why_no_images().or((!report.exists()).then(|| "there is no report of it".to_owned()))
    {
        return machine::say_skipped("a report written anew", &reason);
    }
    let put = |end: &str| {
        let text = fs::read_to_string(&report).unwrap() + end;
        fs::write(stage.path().join("draft"), text).unwrap();
        fs::rename(stage.path().join("draft"), stage.path().join("images/nginx.json")).unwrap();
    };
    put("");
    let nginx = Container::start("nginx", &[], &[]).unwrap();
    let agent = start_agent(&stage, "evt.type=execve and proc.exepath=HERE/never", &[]);
    // A session is a deviation: so the container is known, and judged by the first report.
    nginx.exec(&["true"]).unwrap();
    agent.next_alert(&nginx.id).unwrap();
    put("\n");
    let said = agent.wait_for_talk("has another scan report now").unwrap();
    assert!(said.starts_with("notice: container"), "{said}");
}
