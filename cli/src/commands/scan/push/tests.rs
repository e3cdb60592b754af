//! Which servers get a token, and what becomes of a report when a server refuses, redirects, or is away for a moment.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpListener,
    thread::{self, JoinHandle},
};

use super::*;

#[test]
fn a_token_goes_only_where_it_is_safe() {
    for (text, allows_plain, expected) in [
        ("https://a.example", false, Some("https://a.example/api/v1/scans")),
        ("https://a.example/x/", false, Some("https://a.example/x/api/v1/scans")),
        (
            "http://127.0.0.1:8080",
            false,
            Some("http://127.0.0.1:8080/api/v1/scans"),
        ),
        ("http://[::1]:8080", false, Some("http://[::1]:8080/api/v1/scans")),
        (
            "http://localhost:8080",
            false,
            Some("http://localhost:8080/api/v1/scans"),
        ),
        ("http://a.example", false, None),
        ("http://localhost.a.example", false, None),
        ("http://a.example", true, Some("http://a.example/api/v1/scans")),
        ("https://user:secret@a.example", true, None),
        ("https://a.example/?q", true, None),
        ("ftp://a.example", true, None),
        ("a.example", true, None),
        ("", true, None),
    ] {
        let found = endpoint(text, allows_plain);
        let whole = found.as_ref().ok().map(|url| format!("{url}{PATH}"));
        assert_eq!(whole.as_deref(), expected, "{text}");
        let says = found.err().map(|error| format!("{error:#}")).unwrap_or_default();
        assert!(!says.contains("secret"), "{text}: {says}");
    }
}

/// A server that gives one answer per connection and then tells what it was asked: head and length of each body.
fn answers(list: &'static [&'static str]) -> (String, JoinHandle<Vec<(String, usize)>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let mut asked = Vec::new();
        for answer in list {
            let (stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream);
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                assert_ne!(reader.read_line(&mut head).unwrap(), 0, "a request ends its head");
            }
            let length = head.to_lowercase();
            let length = length.split("content-length: ").nth(1).unwrap().lines().next().unwrap();
            let mut body = vec![0; length.parse().unwrap()];
            reader.read_exact(&mut body).unwrap();
            asked.push((head, body.len()));
            let text = format!("HTTP/1.1 {answer}\r\nConnection: close\r\nContent-Length: 5\r\n\r\n\u{1b}[2Jx");
            reader.get_mut().write_all(text.as_bytes()).unwrap();
        }
        asked
    });
    (url, server)
}

fn server(url: &str) -> Server {
    let arguments = ServerArguments {
        server: Some(url.to_owned()),
        token_file: None,
        server_ca: None,
        insecure_server: false,
    };
    let url = endpoint(url, false).unwrap();
    Server {
        client: arguments.client(&url).unwrap(),
        authorization: HeaderValue::from_static("Bearer secret"),
        url,
    }
}

fn send(server: &Server) -> Result<(), Refusal> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(server.send_until_it_arrives(b"{\"a\":1}"))
}

#[test]
fn what_may_pass_is_tried_again_with_the_whole_report() {
    let (url, asked) = answers(&["503 Service Unavailable", "429 Too Many Requests", "200 OK"]);
    assert!(send(&server(&url)).is_ok());
    let asked = asked.join().unwrap();
    assert_eq!(asked.len(), 3);
    for (head, length) in asked {
        assert!(head.starts_with("POST /api/v1/scans HTTP/1.1"), "{head}");
        assert!(head.contains("Bearer secret"), "{head}");
        assert_eq!(length, 7);
    }
}

#[test]
fn a_refusal_is_final_and_safe_to_print() {
    let cases: [(&'static [&'static str], &str); 3] = [
        (&["401 Unauthorized"], "role operator"),
        (&["413 Content Too Large"], "larger"),
        (
            &["307 Temporary Redirect\r\nLocation: http://127.0.0.1:1/"],
            "redirects",
        ),
    ];
    for (list, word) in cases {
        let answer = list[0];
        let (url, asked) = answers(list);
        let refusal = send(&server(&url)).err().unwrap();
        assert!(refusal.hint.contains(word), "{answer}: {}", refusal.hint);
        assert!(!refusal.error.to_string().contains('\u{1b}'), "{:?}", refusal.error);
        assert_eq!(asked.join().unwrap().len(), 1, "{answer}");
    }
}

#[test]
fn the_token_comes_from_a_file_and_is_never_quoted() {
    let file = std::env::temp_dir().join(format!("plimsoll-token-{}", std::process::id()));
    let arguments = ServerArguments {
        server: Some("http://127.0.0.1:1".to_owned()),
        token_file: Some(file.clone()),
        server_ca: None,
        insecure_server: false,
    };
    std::fs::write(&file, "abc\n").unwrap();
    assert_eq!(arguments.authorization().unwrap(), "Bearer abc");
    std::fs::write(&file, "abc\u{7}def").unwrap();
    let error = arguments.authorization().unwrap_err();
    assert!(!format!("{error:#}").contains("def"), "{error:#}");
    std::fs::write(&file, " \n").unwrap();
    assert!(arguments.authorization().is_err());
    std::fs::remove_file(&file).unwrap();
    assert!(arguments.authorization().is_err());
}
