//! Files in the form, and in none.

use super::*;

fn attacks(cases: &str) -> anyhow::Result<Suite> {
    parse(&format!(
        "kind: AttackSuite\nmetadata: {{name: a}}\ntarget: {{service: redis, port: 6380}}\nattacks:\n{cases}"
    ))
}

fn words(text: &[&str]) -> Vec<String> {
    text.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn reads_what_is_done_and_what_is_expected() {
    let suite = attacks(
        "- {name: one, exec: {command: [sh, -c, id], pod: p}, expectedDetections: [{ruleID: R1, ruleName: theirs, command: x}]}\n\
         - {name: two, redis: {eval: return 1, repeat: 3}, successIndicators: [{responseContains: x}]}\n\
         - {name: three, type: fileless, redis: {exploit: cve}}\n\
         - {name: four, beside: {command: [curl, 1]}, expectedDetections: [{ruleName: unexpected-exec}]}\n\
         - {name: five, machine: {command: [id], expectedExitCode: 3}, expectedDetections: []}\n",
    )
    .unwrap();
    assert_eq!((suite.kind, suite.service.as_str()), (Kind::Attacks, "redis"));
    let [one, two, three, four, five] = suite.steps.as_slice() else {
        panic!("{suite:#?}")
    };
    assert_eq!(one.act, Act::Exec(words(&["sh", "-c", "id"])));
    assert!(one.expects.is_empty() && !one.expects_nothing);
    assert_eq!(two.act, Act::Redis(words(&["-p", "6380", "EVAL", "return 1", "0"])));
    assert_eq!((two.wanted.contains.as_slice(), two.repeat), (&words(&["x"])[..], 3));
    assert!(matches!(&three.act, Act::Elsewhere(reason) if reason.contains("cve")));
    assert_eq!(four.act, Act::Beside(words(&["curl", "1"])));
    assert_eq!(four.expects, ["unexpected-exec"]);
    assert_eq!(five.wanted.exit_code, Some(3));
    assert!(five.expects_nothing);
}

#[test]
fn a_request_is_one_of_curl() {
    let suite = attacks(
        "- {name: a, http: {path: /p, queryParams: {q: 'a b;c'}, headers: {H: v}, method: POST, body: x, expectedStatus: 200}}\n",
    )
    .unwrap();
    let Act::Http(arguments) = &suite.steps[0].act else {
        panic!("{suite:#?}")
    };
    let tail = words(&[
        "--request",
        "POST",
        "--header",
        "H: v",
        "--data-raw",
        "x",
        "http://127.0.0.1:6380/p?q=a%20b%3Bc",
    ]);
    assert!(arguments.ends_with(&tail), "{arguments:?}");
    assert_eq!(suite.steps[0].wanted.status, [200]);
}

#[test]
fn answers_are_judged_by_all_that_is_asked_for() {
    let answer = |text: &str, code: i32, status: Option<u16>| Answer {
        text: text.to_owned(),
        code: Some(code),
        status,
    };
    for (fields, answer, expected) in [
        ("", answer("", 0, None), true),
        ("", answer("", 1, None), false),
        (
            "successIndicators: [{responseContains: Ok}]",
            answer("all OK", 1, None),
            true,
        ),
        (
            "successIndicators: [{responseContains: Ok}]",
            answer("no", 0, None),
            false,
        ),
        (
            "successIndicators: [{bodyRegex: '^a+$'}, {statusCode: 404}]",
            answer("aaa", 0, Some(200)),
            true,
        ),
        (
            "successIndicators: [{bodyRegex: '^a+$'}, {statusCode: 404}]",
            answer("b", 0, Some(404)),
            true,
        ),
        (
            "successIndicators: [{bodyRegex: '^a+$'}, {statusCode: 404}]",
            answer("b", 0, Some(200)),
            false,
        ),
        ("expectedReply: 1", answer("1", 0, None), true),
    ] {
        let suite = attacks(&format!("- {{name: a, exec: {{command: [id]}}, {fields}}}\n")).unwrap();
        assert_eq!(suite.steps[0].wanted.holds(&answer), expected, "{fields} {answer:?}");
    }
    let suite = attacks("- {name: a, exec: {command: [id], expectedExitCode: 2}}\n").unwrap();
    assert!(suite.steps[0].wanted.holds(&answer("", 2, None)));
    assert!(!suite.steps[0].wanted.holds(&answer("", 0, None)));
}

#[test]
fn what_is_not_of_the_form_is_named() {
    for (text, expected) in [
        ("metadata: {}\n", "kind: is not given"),
        ("kind: LoadSuite\n", "kind: LoadSuite is none of"),
        (
            "kind: AttackSuite\nmetadata: {}\ntarget: {service: x}\nattacks: []\n",
            "attacks: holds no case",
        ),
        (
            "kind: AttackSuite\nmetadata: {}\ntarget: {service: x}\ntests: [{name: a, exec: {command: [id]}}]\n",
            "its cases stand below attacks",
        ),
    ] {
        let error = format!("{:#}", parse(text).unwrap_err());
        assert!(error.contains(expected), "{text} gave: {error}");
    }
    for (case, expected) in [
        ("- {name: y}\n", "attacks[0] y: nothing is done"),
        ("- {name: y, exec: {command: []}}\n", "holds no word"),
        ("- {name: y, exec: {command: [id]}, http: {path: /}}\n", "one thing of"),
        ("- {name: y, exec: {comand: [id]}}\n", "unknown field `comand`"),
        ("- {name: y, grpc: {}}\n", "unknown field `grpc`"),
        (
            "- {name: y, exec: {command: [id]}, repeat: 0}\n",
            "repeat: is not from 1",
        ),
        (
            "- {name: y, exec: {command: [id]}, successIndicators: [{}]}\n",
            "one asks for nothing",
        ),
        (
            "- {name: y, exec: {command: [id]}, expectedDetections: [{ruleName: unexpectd-exec}]}\n",
            "unexpectd-exec is neither a deviation nor a rule",
        ),
        (
            "- {name: y, exec: {command: [id]}}\n- {name: y, exec: {command: [id]}}\n",
            "attacks[1]: there is another y",
        ),
    ] {
        let error = format!("{:#}", attacks(case).unwrap_err());
        assert!(error.contains(expected), "{case} gave: {error}");
    }
}
