//! Words for people: facts, phases and command lines as text. All hostile text is escaped here.

use plimsoll_model::{
    Action, Applet, Evidence, ExpectedFact, Fact, Peer, PeerScope, Phase, PortSpec, Program, Subject, Transport, Verb,
};

use crate::limits::{MAX_ARGUMENT_CHARS, MAX_COMMAND_LINE_CHARS};

/// `text` with control characters, line separators and direction marks written as escapes, so that it can neither
/// break a line nor steer a terminal.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if is_unsafe(character) {
            escaped.extend(character.escape_default());
        } else {
            escaped.push(character);
        }
    }
    escaped
}

/// Characters that move the cursor, end a line for some reader, or reorder text (Unicode TR36, bidirectional controls).
fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// A moment in UTC, to the second: `2026-01-31T12:00:00Z`.
pub fn time_words(time_ns: u64) -> String {
    let time = jiff::Timestamp::from_nanosecond(i128::from(time_ns)).unwrap_or_default();
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Arguments joined by blanks, quoted where a shell would need it, escaped, cut with `…` when long.
pub fn quote_arguments(args: &[String]) -> String {
    let mut line = String::new();
    for (position, argument) in args.iter().enumerate() {
        if position > 0 {
            line.push(' ');
        }
        let is_plain = !argument.is_empty()
            && argument.chars().all(|c| {
                !c.is_whitespace() && !matches!(c, '\'' | '"' | '$' | '`' | '\\' | '|' | ';' | '&' | '<' | '>')
            });
        let cut: String = argument.chars().take(MAX_ARGUMENT_CHARS).collect();
        let end = if cut.len() < argument.len() { "…" } else { "" };
        if is_plain {
            line.push_str(&escape(&cut));
            line.push_str(end);
        } else {
            line.push('\'');
            line.push_str(&escape(&cut).replace('\'', "'\\''"));
            line.push_str(end);
            line.push('\'');
        }
        if line.chars().count() > MAX_COMMAND_LINE_CHARS {
            let mut short: String = line.chars().take(MAX_COMMAND_LINE_CHARS).collect();
            short.push('…');
            return short;
        }
    }
    line
}

/// `while serving`, `in a session`.
pub fn phase_words(phase: Phase) -> &'static str {
    match phase {
        Phase::Init => "while being set up",
        Phase::Entrypoint => "in its entrypoint",
        Phase::Serving => "while serving",
        Phase::Session => "in a session from outside",
        Phase::Probe => "in a health check",
    }
}

/// A fact as a line for people: `redis-server listens on tcp/6379`.
pub(crate) fn expected_fact(fact: &Fact, subject: &str) -> ExpectedFact {
    let who = match &fact.subject {
        Subject::Any => "any process".to_owned(),
        Subject::Program(_) => escape(subject),
    };
    ExpectedFact {
        text: format!("{who} {}", action_words(&fact.action)),
        evidence: fact.evidence.clone(),
        confidence: fact.confidence,
    }
}

/// The line that says that there is no fact: `redis-server starts nothing while serving`.
pub(crate) fn expects_nothing(
    subject: &str,
    verb: Verb,
    phase: Phase,
    evidence: Vec<Evidence>,
    confidence: plimsoll_model::Confidence,
) -> ExpectedFact {
    let nothing = match verb {
        Verb::Exec => "starts nothing",
        Verb::Load => "loads no other library",
        Verb::Listen => "listens on no port",
        Verb::Connect => "connects to nobody",
        Verb::Write => "writes nothing",
        Verb::Become => "becomes nobody else",
    };
    let text = match phase {
        Phase::Session => format!("{} {nothing}", escape(subject)),
        _ => format!("{} {nothing} {}", escape(subject), phase_words(phase)),
    };
    ExpectedFact {
        text,
        evidence,
        confidence,
    }
}

fn action_words(action: &Action) -> String {
    match action {
        Action::Exec(program) => format!("starts {}", program_words(program)),
        Action::Load(path) => format!("loads {}", escape(&path.0)),
        Action::Listen(port) => format!("listens on {}", port_words(*port)),
        Action::Connect(peer) => format!("connects to {}", peer_words(*peer)),
        Action::Write(path) => format!("writes {}", escape(&path.0)),
        Action::Become(user) => match &user.name {
            Some(name) => format!("becomes {} ({})", escape(name), user.uid),
            None => format!("becomes user {}", user.uid),
        },
    }
}

fn program_words(program: &Program) -> String {
    match &program.applet {
        None => escape(&program.path.0),
        Some(Applet::Name(name)) => format!("{} as {}", escape(&program.path.0), escape(name)),
        Some(Applet::Script(script)) => escape(script),
    }
}

pub(crate) fn transport_words(transport: Transport) -> &'static str {
    match transport {
        Transport::Tcp => "tcp",
        Transport::Udp => "udp",
        Transport::Other => "ip",
    }
}

fn port_words(port: PortSpec) -> String {
    let transport = transport_words(port.transport);
    match (port.first, port.last) {
        (0, u16::MAX) => format!("any {transport} port"),
        (first, last) if first == last => format!("{transport}/{first}"),
        (first, last) => format!("{transport}/{first}-{last}"),
    }
}

fn peer_words(peer: Peer) -> String {
    let scope = scope_words(peer.scope);
    match peer.port {
        Some(port) => format!("{scope} on {}", port_words(port)),
        None => scope.to_owned(),
    }
}

pub(crate) fn scope_words(scope: PeerScope) -> &'static str {
    match scope {
        PeerScope::Loopback => "loopback",
        PeerScope::Private => "private addresses",
        PeerScope::Public => "public addresses",
        PeerScope::Any => "any address",
    }
}

/// Evidence in brackets' form: `EXPOSE 6379/tcp; pack redis: …`.
pub(crate) fn evidence_words(evidence: &[Evidence]) -> String {
    let details: Vec<String> = evidence.iter().take(3).map(|one| escape(&one.detail)).collect();
    details.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_cannot_break_a_line_or_reorder_it() {
        let args = ["sh", "-c", "echo \u{1b}[2J\nok\u{202e}", "", "it's"].map(str::to_owned);
        assert_eq!(
            quote_arguments(&args),
            "sh -c 'echo \\u{1b}[2J\\nok\\u{202e}' '' 'it'\\''s'"
        );
        let long = vec!["x".repeat(5000); 100];
        assert!(quote_arguments(&long).chars().count() <= MAX_COMMAND_LINE_CHARS + 1);
    }
}
