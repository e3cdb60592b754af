//! What entry scripts are made of, construct by construct; and that nothing at all makes the parser panic or hang.

use super::*;
use crate::profile::shell::{Operation, Simple};

/// Simple commands of a tree in order, each as its words; expansions as `$name`, substitutions as `$(…)`.
fn outline(commands: &[Command]) -> Vec<String> {
    let mut lines = Vec::new();
    for command in commands {
        match command {
            Command::Simple(simple) => outline_simple(simple, &mut lines),
            Command::Background(command) => {
                lines.push(format!("{} &", outline(std::slice::from_ref(command)).join("; ")))
            }
            Command::Pipeline(members) => lines.push(outline(members).join(" | ")),
            Command::Group {
                commands, redirects, ..
            } => {
                lines.extend(outline(commands));
                lines.extend(
                    redirects
                        .iter()
                        .map(|redirect| format!("> {}", show(&redirect.target, &mut Vec::new()))),
                );
            }
            Command::Function { name, body } => lines.push(format!("{name}() {{ {} }}", outline(body).join("; "))),
            Command::Loop { variable, words, body } => {
                let mut nested = Vec::new();
                let words: Vec<String> = words.iter().flatten().map(|word| show(word, &mut nested)).collect();
                lines.push(format!(
                    "for {} in {}",
                    variable.as_deref().unwrap_or("-"),
                    words.join(" ")
                ));
                lines.extend(nested);
                lines.extend(outline(body));
            }
            Command::If(body) => lines.extend(outline(body)),
            Command::Case { words, arms } => {
                let mut nested = Vec::new();
                let patterns = arms.iter().flat_map(|arm| &arm.patterns);
                let words: Vec<String> = words
                    .iter()
                    .chain(patterns)
                    .map(|word| show(word, &mut nested))
                    .collect();
                lines.push(format!("case {}", words.join(" ")));
                lines.extend(nested);
                lines.extend(arms.iter().flat_map(|arm| outline(&arm.body)));
            }
        }
    }
    lines
}

fn outline_simple(simple: &Simple, lines: &mut Vec<String>) {
    let mut nested = Vec::new();
    let mut words: Vec<String> = Vec::new();
    for assignment in &simple.assignments {
        let values: Vec<String> = assignment.value.iter().map(|word| show(word, &mut nested)).collect();
        words.push(format!("{}={}", assignment.name, values.join(",")));
    }
    words.extend(simple.words.iter().map(|word| show(word, &mut nested)));
    for redirect in simple.redirects.iter().filter(|redirect| redirect.is_file) {
        let arrow = if redirect.writes { ">" } else { "<" };
        words.push(format!("{arrow}{}", show(&redirect.target, &mut nested)));
    }
    lines.push(words.join(" "));
    lines.extend(nested);
}

fn show(word: &Word, nested: &mut Vec<String>) -> String {
    word.0
        .iter()
        .map(|part| match part {
            Part::Text { text, .. } => text.clone(),
            Part::Parameter(parameter) => {
                if let Operation::Default(word) | Operation::Other(word) = &parameter.operation {
                    show(word, nested);
                }
                format!("${}", parameter.name)
            }
            Part::Substitution(commands) => {
                nested.extend(outline(commands).into_iter().map(|line| format!("  {line}")));
                "$(…)".to_owned()
            }
            Part::Computed(_) => "$((…))".to_owned(),
        })
        .collect()
}

fn check(script: &str, expected: &[&str]) {
    let parsed = parse(script.as_bytes());
    assert_eq!(parsed.error, None, "{script}");
    assert_eq!(outline(&parsed.commands), expected, "{script}");
}

#[test]
fn words_quotes_and_expansions() {
    check("exec gosu redis \"$0\" \"$@\"", &["exec gosu redis $0 $@"]);
    check("a 'b c' \"d $e\" f\\ g", &["a b c d $e f g"]);
    check("echo $'it\\'s' \"\" ${x:-$(id -u)} # no", &["echo it's  $x", "  id -u"]);
    check("x=`date` y+=(a \"b\"\n c) cmd", &["x=$(…) y=a,b,c cmd", "  date"]);
    check("export A=1 B=\"$(id)\" C", &["A=1 B=$(…) export C", "  id"]);
    check("local x; x=$(( $(nproc) + 1 ))", &["local x", "x=$((…))"]);
    check(
        "echo $((1 + 2)) ${#a} ${!b} ${c[@]} ${d%.conf} $$",
        &["echo $((…)) $a $b $c $d $$"],
    );
    check("a \\\n  b\nc", &["a b", "c"]);
}

#[test]
fn lists_pipelines_and_redirections() {
    check("a && b || c; d & e", &["a", "b", "c", "d &", "e"]);
    check(
        "find / -print0 | sort -V | while read -r f; do \"$f\"; done",
        &["find / -print0 | sort -V | for - in  | read -r f | $f"],
    );
    check("a >/x 2>&1 <in >>\"$y\" &>/z", &["a >/x <in >$y >/z"]);
    check("{ a; b; } >> log", &["a", "b", "> log"]);
    check("( cd /x && a )", &["cd /x", "a"]);
    check("a < <(b) --f <(c)", &["a --f $(…) <$(…)", "  c", "  b"]);
    check("! a | b", &["a | b"]);
}

#[test]
fn compound_commands() {
    check(
        "if [ a ]; then b; elif c; then d; else e; fi",
        &["[ a ]", "b", "c", "d", "e"],
    );
    check(
        "for f in a $(ls /d/*); do . \"$f\"; done",
        &["for f in a $(…)", "  ls /d/*", ". $f"],
    );
    check("for f; do x; done", &["for f in ", "x"]);
    check("for ((i = 0; i < 3; i++)); do x; done", &["for - in ", "x"]);
    check(
        "case \"$1\" in\n -* | *.conf) a ;;\n (b) c ;&\n *) d\nesac",
        &["case $1 -* *.conf b *", "a", "c", "d"],
    );
    check(
        "while read x; do y; done < /etc/z",
        &["for - in ", "read x", "y", "> /etc/z"],
    );
    check(
        "f() { a; }\nfunction g {\n b\n}\nfunction h() ( c )",
        &["f() { a }", "g() { b }", "h() { c }"],
    );
    check(
        "[[ -n $(id) && $a == @(b|c) || x =~ ^(a)$ ]] && y",
        &["case -n $(…) $a == @$((…)) x =~ ^ a $", "  id", "y"],
    );
    check("((x++)) || y", &["case ", "y"]);
}

#[test]
fn here_documents() {
    check(
        "cat <<EOF\nexec evil\n$(date) `id`\nEOF\nb",
        &["cat", "date", "id", "b"],
    );
    check("cat <<-'E'\n\t$(date)\n\tE\nb", &["cat", "b"]);
    check("a <<X | b\nbody\nX\nc", &["a | b", "c"]);
    check("x=$(cat <<E\nbody )\nE\n)\ny", &["x=$(…)", "  cat", "y"]);
    check("grep a <<<\"$b\"", &["grep a"]);
}

#[test]
fn says_where_it_cannot_go_on() {
    for (script, line, message) in [
        ("a\nb 'c\nd", 2, "quote that nobody closes"),
        ("if a; then\nb\n", 3, "`if` without `fi`"),
        ("a\n}\n", 2, "a word or bracket that closes nothing"),
        ("a $(b", 1, "bracket that nobody closes"),
        ("for x in a; b", 1, "`for` without `do`"),
    ] {
        let error = parse(script.as_bytes())
            .error
            .unwrap_or_else(|| panic!("{script} parsed"));
        assert_eq!((error.line, error.message), (line, message), "{script}");
    }
    let deep = "$(".repeat(10_000);
    assert_eq!(
        parse(deep.as_bytes()).error.map(|error| error.message),
        Some("nested too deeply")
    );
}

proptest::proptest! {
    #[test]
    fn never_panics_on_bytes(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
        parse(&bytes);
    }

    #[test]
    fn never_panics_on_shell_like_text(text in "[ \\n;&|(){}<>$`'\"#!=a-c/@*\\[\\]\\\\-]{0,200}") {
        parse(text.as_bytes());
    }

    #[test]
    fn never_panics_on_reserved_words(words in proptest::collection::vec(
        proptest::sample::select(vec!["if", "then", "fi", "for", "in", "do", "done", "case", "esac", "{", "}", "(", ")", ";;", "[[", "]]",
            "<<E", "E", "\n", "function", "f()", "a", "|", "$(", "((", "))", "'", "\"", "`", "${", "while"]), 0..60)) {
        parse(words.join(" ").as_bytes());
    }
}
