//! `plimsoll rules`: check rule files, list and explain rules, show fields, run scenarios, measure.

mod bench;

use std::{
    io::{IsTerminal, Write},
    path::PathBuf,
};

use clap::{Args, Subcommand, ValueEnum};
use plimsoll_rules::{Diagnostic, DiagnosticSeverity, Loaded, Rule, RuleFile, RuleSet, Source, fields, scenario};
use serde::Serialize;

use crate::{
    exit::{Exit, Failure, escape},
    rule_files,
};

/// Check, list, explain, test and measure rules
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Say what is wrong with rule files: exit code 2 when they cannot be loaded
    Check {
        /// Rule files, or folders of *.yaml and *.yml files, loaded together in this order
        #[arg(required = true, value_name = "FILE|DIR")]
        paths: Vec<PathBuf>,
        /// Load the shipped rules before them, so that their lists and macros can be used
        #[arg(long)]
        with_shipped: bool,
        /// Print diagnostics for people or for programs
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// List rules: the shipped ones, or those of files
    List {
        /// Rule files, or folders of them; none: the shipped rules
        #[arg(value_name = "FILE|DIR")]
        paths: Vec<PathBuf>,
    },
    /// Show the fields that conditions and outputs can use
    Fields {
        /// Only those of one source
        #[arg(long, value_parser = source)]
        source: Option<Source>,
        /// Print a table or JSON
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Show one rule: what it is for, its condition with everything put in, the fields it reads
    Explain {
        /// Name of the rule
        rule: String,
        /// Rule files, or folders of them; none: the shipped rules
        #[arg(value_name = "FILE|DIR")]
        paths: Vec<PathBuf>,
    },
    /// Run scenarios: events that must fire a rule, and events that must not
    Test {
        /// Scenario files; none: those of the shipped rules
        #[arg(value_name = "FILE")]
        paths: Vec<PathBuf>,
        /// Rule files, or folders of them, loaded after the shipped rules; may be repeated
        #[arg(long, value_name = "FILE|DIR")]
        rules: Vec<PathBuf>,
    },
    /// Measure what rules cost on this machine: time to load them, events per second on one core
    Bench {
        /// Rule files, or folders of them, in this order; may be repeated; none: the shipped rules
        #[arg(long, value_name = "FILE|DIR")]
        rules: Vec<PathBuf>,
        /// How many made-up events of each mix to judge, at most ten millions
        #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
        events: u32,
        /// Judge what was recorded (agent --record, or .scap) instead of made-up events; may be repeated
        #[arg(long, value_name = "FILE")]
        capture: Vec<PathBuf>,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

fn source(name: &str) -> Result<Source, String> {
    Source::named(name).ok_or_else(|| {
        let known: Vec<&str> = Source::ALL.into_iter().map(Source::as_str).collect();
        format!("one of {}", known.join(", "))
    })
}

/// Runs `plimsoll rules`.
pub(crate) fn run(arguments: Arguments) -> Result<Exit, Failure> {
    match arguments.command {
        Command::Check {
            paths,
            with_shipped,
            format,
        } => check(&paths, with_shipped, format),
        Command::List { paths } => list(&load(&paths)?),
        Command::Fields { source, format } => show_fields(source, format),
        Command::Explain { rule, paths } => explain(&rule, &load(&paths)?),
        Command::Test { paths, rules } => test(&paths, &rules),
        Command::Bench { rules, events, capture } => print(&bench::report(&files(&rules)?, events as usize, &capture)?),
    }
}

/// The files named on the command line; the shipped ones when there are none.
fn files(paths: &[PathBuf]) -> Result<Vec<RuleFile>, Failure> {
    if paths.is_empty() {
        let mut files = RuleSet::shipped_files();
        files.extend(RuleSet::shipped_audit_files());
        Ok(files)
    } else {
        rule_files::read(paths)
    }
}

fn load(paths: &[PathBuf]) -> Result<RuleSet, Failure> {
    loaded(&files(paths)?).map(|loaded| loaded.rules)
}

fn loaded(files: &[RuleFile]) -> Result<Loaded, Failure> {
    RuleSet::load(files).map_err(|diagnostics| {
        for diagnostic in &diagnostics {
            eprintln!("{}\n", render(diagnostic, files, std::io::stderr().is_terminal()));
        }
        let error = anyhow::anyhow!("load rules: {} errors", count(&diagnostics, DiagnosticSeverity::Error));
        Failure::new(Exit::Usage, error, "plimsoll rules check FILE says more")
    })
}

fn render(diagnostic: &Diagnostic, files: &[RuleFile], is_terminal: bool) -> String {
    let source = files.iter().find(|file| file.name == diagnostic.file);
    let is_coloured = is_terminal && std::env::var_os("NO_COLOR").is_none();
    diagnostic.render(source.map(|file| file.text.as_str()), is_coloured)
}

fn count(diagnostics: &[Diagnostic], severity: DiagnosticSeverity) -> usize {
    diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.severity == severity)
        .count()
}

/// `plimsoll rules check --format json`, version 1.
#[derive(Serialize)]
struct Report<'a> {
    schema: &'static str,
    is_loadable: bool,
    rule_count: usize,
    diagnostics: &'a [Diagnostic],
}

fn check(paths: &[PathBuf], with_shipped: bool, format: Format) -> Result<Exit, Failure> {
    let mut files = if with_shipped {
        RuleSet::shipped_files()
    } else {
        Vec::new()
    };
    files.extend(rule_files::read(paths)?);
    let (rule_count, diagnostics, is_loadable) = match RuleSet::load(&files) {
        Ok(loaded) => (loaded.rules.rules().len(), loaded.diagnostics, true),
        Err(diagnostics) => (0, diagnostics, false),
    };
    let text = match format {
        Format::Json => json(&Report {
            schema: "plimsoll.rules-check/v1",
            is_loadable,
            rule_count,
            diagnostics: &diagnostics,
        })?,
        Format::Text => {
            let is_terminal = std::io::stdout().is_terminal();
            let mut text = String::new();
            for diagnostic in &diagnostics {
                text += &render(diagnostic, &files, is_terminal);
                text += "\n\n";
            }
            let (errors, warnings) = (
                count(&diagnostics, DiagnosticSeverity::Error),
                count(&diagnostics, DiagnosticSeverity::Warning),
            );
            text + &if is_loadable {
                format!("{rule_count} rules load, {warnings} warnings\n")
            } else {
                format!("not loaded: {errors} errors, {warnings} warnings\n")
            }
        }
    };
    print(&text)?;
    Ok(if is_loadable { Exit::Go } else { Exit::Usage })
}

fn list(rules: &RuleSet) -> Result<Exit, Failure> {
    let mut text = String::new();
    for rule in rules.rules() {
        let state = if rule.is_enabled() { "" } else { "  (disabled)" };
        let techniques: Vec<&str> = rule.techniques().collect();
        text += &format!(
            "{:<13} {:<13} {}{state}{}\n",
            rule.priority().as_str(),
            rule.source().as_str(),
            escape(rule.name()),
            if techniques.is_empty() {
                String::new()
            } else {
                format!("  [{}]", techniques.join(" "))
            }
        );
    }
    print(&text)
}

fn show_fields(source: Option<Source>, format: Format) -> Result<Exit, Failure> {
    let mut shown = fields();
    shown.retain(|field| source.is_none_or(|source| field.sources.contains(&source)));
    if format == Format::Json {
        return print(&json(&shown)?);
    }
    let mut text = String::new();
    for field in &shown {
        let name = if field.takes_argument {
            format!("{}[…]", field.name)
        } else {
            field.name.to_owned()
        };
        let kind = if field.is_list {
            format!("list of {}", field.kind.as_str())
        } else {
            field.kind.as_str().to_owned()
        };
        let sources = if source.is_some() {
            String::new()
        } else {
            let names: Vec<&str> = field.sources.iter().map(|source| source.as_str()).collect();
            format!("({}) ", names.join(", "))
        };
        let doc = if field.is_provided {
            field.doc
        } else {
            "not provided yet: always missing"
        };
        text += &format!("{name:<36} {kind:<8} {sources}{doc}\n");
    }
    print(&text)
}

fn explain(name: &str, rules: &RuleSet) -> Result<Exit, Failure> {
    let Some(rule) = rules.rule(name) else {
        let error = anyhow::anyhow!("explain rule \"{name}\": there is no such rule");
        return Err(Failure::new(
            Exit::Usage,
            error,
            "plimsoll rules list shows their names",
        ));
    };
    print(&explanation(rule))
}

fn explanation(rule: &Rule) -> String {
    let (file, line) = rule.origin();
    let mut text = format!(
        "{}\n  {}:{line}, priority {}, source {}{}\n\n",
        escape(rule.name()),
        escape(file),
        rule.priority(),
        rule.source().as_str(),
        if rule.is_enabled() { "" } else { ", disabled" }
    );
    for sentence in rule.description().trim().split('\n') {
        text += &format!("  {}\n", escape(sentence));
    }
    text += &format!("\ntags\n  {}\n", escape(&rule.tags().join(", ")));
    text += &format!(
        "\ncondition, as written\n  {}\n",
        escape(&one_line(rule.condition_text()))
    );
    text += &format!(
        "\ncondition, with macros, lists and exceptions\n  {}\n",
        escape(rule.expanded_condition())
    );
    text += &format!("\nfields that it reads\n  {}\n", escape(&rule.fields().join(", ")));
    text += &format!("\noutput\n  {}\n", escape(&one_line(rule.output_text())));
    text
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn test(paths: &[PathBuf], rules: &[PathBuf]) -> Result<Exit, Failure> {
    let mut files = RuleSet::shipped_files();
    files.extend(rule_files::read(rules)?);
    let rules = loaded(&files)?.rules;
    let scenarios: Vec<(String, String)> = if paths.is_empty() {
        let shipped = scenario::shipped();
        shipped
            .into_iter()
            .map(|(name, text)| (name.to_owned(), text.to_owned()))
            .collect()
    } else {
        rule_files::read(paths)?
            .into_iter()
            .map(|file| (file.name, file.text))
            .collect()
    };
    let (mut passed, mut failed) = (0, 0);
    let mut text = String::new();
    for (file, content) in scenarios {
        let found = scenario::read(&content).map_err(|error| {
            let error = anyhow::Error::new(error).context(format!("test {file}"));
            Failure::new(
                Exit::Usage,
                error,
                "rules/content/tests shows how scenarios are written",
            )
        })?;
        for scenario in found {
            let wrong = scenario.run(&rules);
            if wrong.is_empty() {
                passed += 1;
            } else {
                failed += 1;
            }
            for problem in wrong {
                text += &format!("{}: {}\n", escape(&file), escape(&problem.to_string()));
            }
        }
    }
    text += &format!("{passed} rules behave as their scenarios say, {failed} do not\n");
    print(&text)?;
    Ok(if failed == 0 { Exit::Go } else { Exit::Usage })
}

fn json(value: &impl Serialize) -> Result<String, Failure> {
    match serde_json::to_string_pretty(value) {
        Ok(text) => Ok(text + "\n"),
        Err(error) => Err(Failure::new(Exit::Bug, error, "please report this")),
    }
}

fn print(text: &str) -> Result<Exit, Failure> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => Ok(Exit::Go),
        // Whoever reads has seen enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(Exit::Go),
        Err(error) => {
            let error = anyhow::Error::new(error).context("write to standard output");
            Err(Failure::new(Exit::Usage, error, "is the disk full?"))
        }
    }
}
