//! Suites and images in, outcomes out: one agent for all, so many images at a time.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Mutex,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use plimsoll_model::{Confidence, FacetState, ScanReport};

use super::{
    ImageSpec, Images,
    observed::Recorded,
    outcome::{ActOutcome, ImageOutcome, ProfileFigures, Verdict},
    stage::Stage,
    suite::{Act, Answer, Kind, Step, Suite},
    watch::{Told, UPDATE_AFTER, Watch, now_ns},
};
use crate::{command, repository};

/// An alert that has not come by then is missed.
const PATIENCE: Duration = Duration::from_secs(10);
/// What the agent tells late comes this much later than it should at most.
const QUIET: Duration = Duration::from_millis(250);
/// What normal work may have raised is on its way this long.
const AFTERMATH: Duration = Duration::from_millis(400);

/// What is run.
#[derive(Debug, Clone)]
pub struct Options {
    /// How images are run.
    pub images: Images,
    /// What is done in them.
    pub suites: Vec<Suite>,
    /// Only these images; empty: all that a suite is for.
    pub names: Vec<String>,
    /// Images at a time.
    pub jobs: usize,
    /// Where reports and recordings are kept.
    pub folder: PathBuf,
}

/// Runs everything; outcomes in the order of the images' names, and what the agent said of events that it lost.
///
/// # Errors
/// The agent does not start, or images cannot be scanned.
pub fn run(options: &Options) -> anyhow::Result<(Vec<ImageOutcome>, Vec<String>)> {
    let reports = options.folder.join("reports");
    let acts = options.folder.join("acts");
    fs::create_dir_all(&reports)?;
    make_acts(&acts)?;
    let mut todo = rows(options);
    ensure!(!todo.is_empty(), "no file is for any of {:?}", options.names);
    let mut outcomes = BTreeMap::new();
    let mut profiles: BTreeMap<&str, ProfileFigures> = BTreeMap::new();
    for row in &todo {
        if !profiles.contains_key(row.image) {
            profiles.insert(row.image, scan(row.image, row.spec, &reports)?);
        }
        let outcome = ImageOutcome {
            name: row.name.clone(),
            image: row.image.to_owned(),
            profile: profiles[row.image].clone(),
            operations_per_hour: row.spec.operations_per_hour,
            ..ImageOutcome::default()
        };
        outcomes.insert(row.name.clone(), outcome);
    }
    let recording = options
        .folder
        .join(format!("recording-{}.plimsoll", std::process::id()));
    let watch = Watch::start(&reports, &recording)?;
    todo.reverse();
    let todo = Mutex::new(todo);
    let outcomes = Mutex::new(outcomes);
    let recorded = Mutex::new(Recorded::default());
    std::thread::scope(|scope| {
        for _ in 0..options.jobs.max(1) {
            scope.spawn(|| {
                while let Some(row) = { todo.lock().ok().and_then(|mut todo| todo.pop()) } {
                    let begun = Instant::now();
                    let mut outcome = outcomes
                        .lock()
                        .expect("no thread fails")
                        .remove(&row.name)
                        .expect("it is there");
                    let result = run_row(&mut outcome, &row, &acts, &watch, &recorded);
                    outcome.failure = result.err().map(|error| format!("{error:#}"));
                    eprintln!("{}: {:.0} s", row.name, begun.elapsed().as_secs_f64());
                    for line in outcome.complaints() {
                        eprintln!("  {line}");
                    }
                    outcomes
                        .lock()
                        .expect("no thread fails")
                        .insert(row.name.clone(), outcome);
                }
            });
        }
    });
    let mut losses = watch.stop()?;
    losses.retain(|line| line.starts_with("done") && line.contains("lost"));
    losses.iter().for_each(|line| eprintln!("agent: {line}"));
    let mut outcomes = outcomes.into_inner().expect("no thread fails");
    let recorded = recorded.into_inner().expect("no thread fails");
    recorded.compare(&reports, &recording, &mut outcomes)?;
    fs::remove_file(&recording)?;
    Ok((outcomes.into_values().collect(), losses))
}

/// What is done in one container: the files of one folder for one image.
struct Row<'a> {
    /// The image's name, with the folder's where it is not the suite's own.
    name: String,
    image: &'a str,
    spec: &'a ImageSpec,
    suites: Vec<&'a Suite>,
}

/// The folder of the suite's own files.
const OWN: &str = "behaviour";

fn rows(options: &Options) -> Vec<Row<'_>> {
    let mut rows: Vec<Row<'_>> = Vec::new();
    let wanted = |suite: &&Suite| options.names.is_empty() || options.names.contains(&suite.service);
    for suite in options.suites.iter().filter(wanted) {
        let Some((image, spec)) = options.images.images.get_key_value(&suite.service) else {
            continue;
        };
        let name = match suite.folder.as_str() {
            OWN => image.clone(),
            folder => format!("{image} ({folder})"),
        };
        match rows.iter_mut().find(|row| row.name == name) {
            Some(row) => row.suites.push(suite),
            None => rows.push(Row {
                name,
                image,
                spec,
                suites: vec![suite],
            }),
        }
    }
    rows.sort_by(|a, b| a.name.cmp(&b.name));
    rows
}

fn run_row(
    outcome: &mut ImageOutcome,
    row: &Row<'_>,
    acts: &Path,
    watch: &Watch,
    recorded: &Mutex<Recorded>,
) -> anyhow::Result<()> {
    let from = watch.count();
    let begun_ns = now_ns();
    let spec = row.spec;
    let hosts: BTreeSet<&str> = row.suites.iter().map(|suite| suite.host.as_str()).collect();
    let mut stage = Stage::start(row.image, spec, acts, &Vec::from_iter(hosts))?;
    let mut start = ActOutcome {
        name: "start".to_owned(),
        kind: Kind::Benign,
        verdict: Verdict::Silent,
        alerts: Vec::new(),
        new_alerts: 0,
        latency_ms: None,
        operations: 1,
        answer: String::new(),
    };
    judge_benign(&mut start, &aftermath(watch, from, &stage.id));
    outcome.acts.push(start);
    let (benign, attacks): (Vec<&Suite>, Vec<&Suite>) =
        row.suites.iter().copied().partition(|suite| suite.kind == Kind::Benign);
    for (suite, step) in steps(&benign) {
        outcome.acts.push(run_step(suite, step, spec, &mut stage, watch)?);
    }
    if let Ok(mut recorded) = recorded.lock() {
        recorded.add((&outcome.name, row.image), &stage.id, begun_ns, now_ns());
    }
    for (suite, step) in steps(&attacks) {
        outcome.acts.push(run_step(suite, step, spec, &mut stage, watch)?);
    }
    Ok(())
}

fn steps<'a>(suites: &[&'a Suite]) -> Vec<(&'a Suite, &'a Step)> {
    let pairs = suites
        .iter()
        .flat_map(|suite| suite.steps.iter().map(move |step| (*suite, step)));
    pairs.collect()
}

fn run_step(
    suite: &Suite,
    step: &Step,
    spec: &ImageSpec,
    stage: &mut Stage,
    watch: &Watch,
) -> anyhow::Result<ActOutcome> {
    let mut outcome = ActOutcome {
        name: step.name.clone(),
        kind: suite.kind,
        verdict: Verdict::Silent,
        alerts: Vec::new(),
        new_alerts: 0,
        latency_ms: None,
        operations: step.operations * u64::from(step.repeat),
        answer: String::new(),
    };
    if let Act::Elsewhere(reason) = &step.act {
        outcome.verdict = Verdict::NotRun(reason.clone());
        return Ok(outcome);
    }
    // Whatever the act before has ended is work that is expected, whoever had it ended.
    if stage.revive()? {
        aftermath(watch, watch.count(), &stage.id);
    }
    let from = (watch.count(), now_ns());
    let mut has_worked = true;
    for _ in 0..step.repeat {
        // A container that has ended is started again for the next step; here it is an answer like others.
        let answer = stage.perform(&step.act).unwrap_or_else(|error| Answer {
            text: format!("{error:#}"),
            ..Answer::default()
        });
        has_worked &= step.wanted.holds(&answer);
        outcome.answer = answer.text;
    }
    match suite.kind {
        Kind::Benign => {
            judge_benign(&mut outcome, &aftermath(watch, from.0, &stage.id));
            if !has_worked {
                outcome.verdict = Verdict::Broken;
            }
        }
        Kind::Attacks => {
            let unseen = step.unseen.as_ref().or_else(|| spec.unseen.get(&step.name));
            let silence = match (unseen, &step.unjudged) {
                (Some(reason), _) => Some(Verdict::Unseen(reason.clone())),
                (None, Some(reason)) => Some(Verdict::Unjudged(reason.clone())),
                (None, None) => None,
            };
            judge_attack(&mut outcome, step, silence, has_worked, &stage.id, (watch, from));
        }
    }
    Ok(outcome)
}

fn aftermath(watch: &Watch, from: usize, id: &str) -> Vec<Told> {
    watch.after(from, id, Instant::now() + AFTERMATH, |_| false)
}

fn judge_benign(outcome: &mut ActOutcome, told: &[Told]) {
    outcome.note(told);
    if !told.is_empty() {
        outcome.verdict = Verdict::FalseAlert;
    }
}

/// `silence`: what it comes to when no alert is expected of it. Every alert is given to the act that it speaks of by the kernel's time, not by its arrival: all that an act causes is
/// waited for before the next begins.
fn judge_attack(
    outcome: &mut ActOutcome,
    step: &Step,
    silence: Option<Verdict>,
    has_worked: bool,
    id: &str,
    (watch, (from, from_ns)): (&Watch, (usize, u64)),
) {
    let patience = if silence.is_some() { QUIET } else { PATIENCE };
    let is_flagged = |told: &[Told]| names_all(told, from_ns, &step.expects);
    watch.after(from, id, Instant::now() + step.settle + patience, |told| {
        is_flagged(told)
    });
    let mut told = watch.after(from, id, Instant::now() + UPDATE_AFTER + QUIET, |_| false);
    told.retain(|told| !told.names_since(from_ns).is_empty());
    // More of a known act is no sign of one that should be silent: a server may go on with the one before.
    if silence.is_some() {
        told.retain(|told| !told.is_again || told.added.iter().any(|one| one.time_ns >= from_ns));
    }
    outcome.note(&told);
    outcome.verdict = match (is_flagged(&told), silence) {
        (true, _) => Verdict::Flagged,
        (false, Some(verdict)) => verdict,
        // An attack that must say something and did not was not carried out.
        (false, None)
            if told.is_empty() && (!has_worked && !step.wanted.is_anything() || is_refusal(&outcome.answer)) =>
        {
            Verdict::Refused
        }
        (false, None) if step.expects_nothing => Verdict::Unseen("its own file expects no detection".to_owned()),
        (false, None) => Verdict::Missed,
    };
}

/// How foreign attack scripts say themselves that the target did not let them, and how runc says that the image has no such
/// program.
fn is_refusal(answer: &str) -> bool {
    let words = [
        "sandbox_blocked",
        "sandbox_intact",
        "executable file not found in $PATH",
    ];
    words.iter().any(|words| answer.contains(words))
}

/// Whether something fired since then, and each of these rules or deviations among it.
fn names_all(told: &[Told], from_ns: u64, expects: &[String]) -> bool {
    let names: Vec<&str> = told.iter().flat_map(|told| told.names_since(from_ns)).collect();
    !names.is_empty() && expects.iter().all(|wanted| names.contains(&wanted.as_str()))
}

/// Scans an image unless its report is newer than image and scanner; figures of its profile.
fn scan(name: &str, spec: &ImageSpec, reports: &Path) -> anyhow::Result<ProfileFigures> {
    let path = reports.join(format!("{name}.json"));
    let mut scan = command::plimsoll();
    scan.env("PLIMSOLL_LOG", "plimsoll_scanner=debug")
        .env("NO_COLOR", "1")
        .args(["scan", &spec.scan, "--skip-vulnerabilities", "-o"])
        .arg(format!("json={}", path.display()));
    let run = command::finish(scan);
    let last = run
        .stderr
        .lines()
        .rev()
        .find(|line| !line.starts_with(' '))
        .unwrap_or_default();
    ensure!(run.code == Some(0), "scan {name}: exit code {:?}: {last}", run.code);
    let report: ScanReport = serde_json::from_slice(&fs::read(&path)?).context("read the report")?;
    let profile = &report.profile;
    let is_general =
        |fact: &&plimsoll_model::Fact| fact.evidence.iter().all(|one| one.detail.starts_with("any program:"));
    let facts: Vec<_> = profile.facts.iter().filter(|fact| !is_general(fact)).collect();
    Ok(ProfileFigures {
        facts: facts.len(),
        sure: facts.iter().filter(|fact| fact.confidence == Confidence::A).count(),
        denials: profile.denials.len(),
        judged: profile
            .facets
            .iter()
            .filter(|facet| facet.state == FacetState::Closed)
            .count(),
        packs: profile.packs.clone(),
        build_ms: build_ms(&run.stderr).unwrap_or(0.0),
        size_bytes: serde_json::to_vec(profile)?.len(),
    })
}

/// `… profile derived … milliseconds=1.23` in the scanner's log.
fn build_ms(log: &str) -> Option<f64> {
    let line = log.lines().find(|line| line.contains("profile derived"))?;
    let value = line.split("milliseconds").nth(1)?;
    let digits: String = value
        .chars()
        .skip_while(|c| !c.is_ascii_digit())
        .take_while(|c| c.is_ascii_digit() || *c == '.')
        .collect();
    digits.parse().ok()
}

/// Compiles the tools of the attacks; the folder is mounted at `/acts`.
fn make_acts(folder: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(folder)?;
    let demo = repository::root().join("scripts/demo/acts");
    let own = repository::root().join("scripts/behaviour/acts");
    for (output, source, options) in [
        (
            "shell.so",
            demo.join("module.c"),
            &["-shared", "-fPIC", "-DACT_SHELL"][..],
        ),
        ("drop.so", demo.join("module.c"), &["-shared", "-fPIC", "-DACT_DROP"]),
        ("payload", demo.join("payload.c"), &["-static"]),
        ("preload.so", own.join("preload.c"), &["-shared", "-fPIC"]),
    ] {
        let status = Command::new("cc")
            .args(options)
            .arg("-o")
            .arg(folder.join(output))
            .arg(source)
            .status()
            .context("run cc")?;
        ensure!(status.success(), "compile {output}");
    }
    let status = Command::new("chmod").arg("-R").arg("a+rX").arg(folder).status()?;
    ensure!(status.success(), "chmod of the attacks' tools");
    Ok(())
}
