//! Every reader of foreign bytes against its corpus, that corpus cut off at every byte, and damage drawn from it. What
//! comes out does not matter here: nobody may panic, hang or take memory without bound. `fuzz/` looks longer, guided by
//! coverage, with the same table and the same corpus.

use std::{
    cell::Cell,
    collections::BTreeSet,
    env, fs,
    panic::{self, AssertUnwindSafe},
    path::PathBuf,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use plimsoll_tests::{
    mutation::Mutator,
    parsers::{self, Parser},
};

/// Most processor time for one input of at most a mebibyte, in an unoptimised build. The brief's two seconds are for the
/// release build; this one is some ten times slower.
const MAX_CPU: Duration = Duration::from_secs(10);
/// Without an answer for so long, a reader hangs.
const MAX_WAIT: Duration = Duration::from_secs(120);
/// Time for each reader's damage.
const BUDGET: Duration = Duration::from_millis(350);
/// Most damaged inputs of one reader.
const MAX_INPUTS: usize = 400;
/// Longest file that is cut off at every byte; a longer one is cut at so many places.
const CUTS: usize = 400;
/// Most memory that the process may ever have needed.
const MAX_RESIDENT_BYTES: u64 = 1 << 30;

thread_local! {
    static IS_TRIED: Cell<bool> = const { Cell::new(false) };
}

/// What one reader does with one input; the error says how it failed.
fn try_input(parser: &Parser, bytes: &[u8]) -> Result<(), String> {
    let start = cpu();
    IS_TRIED.set(true);
    let result = panic::catch_unwind(AssertUnwindSafe(|| (parser.run)(bytes)));
    IS_TRIED.set(false);
    let took = cpu() - start;
    let fault = match result {
        Err(panic) => panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
            .unwrap_or_else(|| "panicked".to_owned()),
        Ok(()) if took > MAX_CPU => format!("took {took:?} of the processor"),
        Ok(()) => return Ok(()),
    };
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("crash-{}", parser.name));
    let kept = fs::write(&path, bytes).map_or_else(|error| error.to_string(), |()| path.display().to_string());
    Err(format!(
        "{}: {fault} ({} bytes, kept as {kept})",
        parser.name,
        bytes.len()
    ))
}

/// Processor time of this thread: what others do on the machine meanwhile is not ours. First number of the kernel's
/// schedstat, nanoseconds (Documentation/scheduler/sched-stats.rst).
fn cpu() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").expect("Linux with schedstat");
    let word = text.split(' ').next().and_then(|word| word.parse().ok());
    Duration::from_nanos(word.expect("a number"))
}

/// How many inputs the reader took, and how it failed.
fn try_all(parser: &Parser) -> (usize, Vec<String>) {
    let seeds = parser.seeds();
    let mut inputs = 0;
    let mut faults = Vec::new();
    let mut one = |bytes: &[u8]| {
        inputs += 1;
        faults.extend(try_input(parser, bytes).err());
        faults.is_empty()
    };
    for seed in &seeds {
        let step = seed.len().div_ceil(CUTS).max(1);
        if !(one(seed) && (0..seed.len()).step_by(step).all(|end| one(&seed[..end]))) {
            return (inputs, faults);
        }
    }
    let mut mutator = Mutator::new(parser.name);
    let scale = env::var("PLIMSOLL_FUZZ_SECONDS")
        .ok()
        .and_then(|text| text.parse().ok());
    let budget = scale.map_or(BUDGET, Duration::from_secs);
    let most = scale.map_or(MAX_INPUTS, |_| usize::MAX);
    let start = Instant::now();
    let mut drawn = 0;
    while start.elapsed() < budget && drawn < most && one(&mutator.damaged(&seeds)) {
        drawn += 1;
    }
    (inputs, faults)
}

/// Highest resident memory of this process so far (proc_pid_status(5)).
fn peak_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kibibytes.expect("a number") << 10
}

#[test]
fn no_reader_panics_hangs_or_grows_whatever_it_is_given() {
    let known = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if !IS_TRIED.get() {
            known(info);
        }
    }));
    let only = env::var("PLIMSOLL_FUZZ_PARSER").ok();
    let mut parsers = parsers::all();
    parsers.retain(|parser| only.as_ref().is_none_or(|only| only == parser.name));
    assert!(!parsers.is_empty(), "no reader has that name");
    let (next, running) = (AtomicUsize::new(0), Mutex::new(BTreeSet::new()));
    let (sender, results) = mpsc::channel();
    let threads = thread::available_parallelism().map_or(1, usize::from).min(8);
    let (mut inputs, mut faults) = (0, Vec::new());
    thread::scope(|scope| {
        for _ in 0..threads {
            let (sender, parsers, next, running) = (sender.clone(), &parsers, &next, &running);
            scope.spawn(move || {
                while let Some(parser) = parsers.get(next.fetch_add(1, Ordering::Relaxed)) {
                    running.lock().expect("no holder panics").insert(parser.name);
                    let result = try_all(parser);
                    running.lock().expect("no holder panics").remove(parser.name);
                    // The receiver lives as long as this scope.
                    let _ = sender.send((parser.name, result));
                }
            });
        }
        drop(sender);
        let wait = MAX_WAIT
            + Duration::from_secs(env::var("PLIMSOLL_FUZZ_SECONDS").map_or(0, |text| text.parse().unwrap_or(0)));
        loop {
            match results.recv_timeout(wait) {
                Ok((name, (count, found))) => {
                    println!("{name}: {count} inputs, {} MiB at most so far", peak_bytes() >> 20);
                    inputs += count;
                    faults.extend(found);
                }
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    // A thread that hangs cannot be ended, so the scope would not end either.
                    eprintln!("hangs: {:?}", running.lock().expect("no holder panics"));
                    std::process::exit(101);
                }
            }
        }
    });
    println!(
        "{} readers, {inputs} inputs, {} MiB at most",
        parsers.len(),
        peak_bytes() >> 20
    );
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(peak_bytes() < MAX_RESIDENT_BYTES, "{} bytes at most", peak_bytes());
}

#[test]
fn names_are_unique_and_nobody_starts_from_nothing() {
    let all = parsers::all();
    let names: BTreeSet<&str> = all.iter().map(|parser| parser.name).collect();
    assert_eq!(names.len(), all.len());
    let bare: Vec<&str> = all
        .iter()
        .filter(|parser| parser.seeds().is_empty())
        .map(|parser| parser.name)
        .collect();
    assert!(bare.is_empty(), "without a file to start from: {bare:?}");
    let folders =
        fs::read_dir(plimsoll_tests::repository::root().join("fuzz/corpus")).expect("it is in the repository");
    for folder in folders.flatten() {
        let name = folder.file_name().to_string_lossy().into_owned();
        assert!(names.contains(name.as_str()), "fuzz/corpus/{name} is no reader's");
    }
}

#[test]
fn a_panic_and_its_input_are_found() {
    let parser = Parser {
        name: "self-test",
        run: |bytes| assert!(bytes.len() < 3, "three bytes"),
        files: &[],
    };
    assert!(try_input(&parser, b"ab").is_ok());
    let fault = try_input(&parser, b"abc").expect_err("it panics");
    assert!(fault.contains("self-test: three bytes (3 bytes"), "{fault}");
}
