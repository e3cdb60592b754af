//! A real token server for docker-registry's token authentication (distribution's token.md, jwt.md): signs JSON web tokens
//! with a key whose certificate the registry is told to trust.

use std::{
    fs,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::Path,
    sync::{Arc, Mutex},
    thread,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::Context as _;
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use rcgen::{Certificate, CertificateParams, KeyPair, SigningKey as _};
use serde_json::json;

/// User, password and long-lived token that get a token which allows something.
const BASIC: &str = "user:secret";
const REFRESH_TOKEN: &str = "long-lived";
const NAME: &str = "plimsoll-test-issuer";
const SERVICE: &str = "plimsoll-test-registry";

/// A token server that ends with the test process.
pub struct Issuer {
    address: String,
    bundle: std::path::PathBuf,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Issuer {
    /// Begins to listen; the certificate for the registry is written into `folder`.
    pub fn start(folder: &Path) -> anyhow::Result<Self> {
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new(vec![NAME.to_owned()])?.self_signed(&key)?;
        let bundle = folder.join("issuer.pem");
        fs::write(&bundle, certificate.pem()).context("write the issuer's certificate")?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?.to_string();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                // Who hangs up gets no token.
                let _ = serve(&stream, &key, &certificate, &log);
            }
        });
        Ok(Self { address, bundle, asked })
    }

    /// The registry's `auth` section that believes this issuer.
    pub fn section(&self) -> String {
        format!(
            "auth: {{ token: {{ realm: \"http://{}/token\", service: {SERVICE}, issuer: {NAME}, rootcertbundle: {} }} }}",
            self.address,
            self.bundle.display()
        )
    }

    /// What was asked: first line, authorization and body of each request.
    ///
    /// # Panics
    /// When answering panicked.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("answering does not panic").clone()
    }
}

fn serve(stream: &TcpStream, key: &KeyPair, certificate: &Certificate, log: &Mutex<Vec<String>>) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    let (mut first, mut authorization, mut length) = (String::new(), String::new(), 0);
    reader.read_line(&mut first)?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim().split_once(':') else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "authorization" => value.trim().clone_into(&mut authorization),
            "content-length" => length = value.trim().parse().unwrap_or(0),
            _ => {}
        }
    }
    let mut body = String::new();
    reader.take(length).read_to_string(&mut body)?;
    if let Ok(mut log) = log.lock() {
        log.push(format!("{} {authorization} {body}", first.trim()));
    }
    let basic = format!("Basic {}", STANDARD.encode(BASIC));
    let is_known = authorization == basic || body.contains(&format!("refresh_token={REFRESH_TOKEN}"));
    // Only the encoding that clients really use for `repository:team/demo:pull`.
    let query = format!(
        "{} {body}",
        first.replace("%3A", ":").replace("%2F", "/").replace("%2C", ",")
    );
    let query = query.replace("%3A", ":").replace("%2F", "/").replace("%2C", ",");
    let scope = query
        .split(['?', '&', ' '])
        .find_map(|part| part.strip_prefix("scope="))
        .unwrap_or_default();
    let answer = if authorization.is_empty() || is_known {
        let token = token(key, certificate, scope, is_known).map_err(io::Error::other)?;
        ("200 OK", json!({ "token": token, "expires_in": 300 }).to_string())
    } else {
        ("401 Unauthorized", "{}".to_owned())
    };
    let (status, text) = answer;
    write!(
        &*stream,
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{text}",
        text.len()
    )
}

/// Everybody gets a token, but one that allows nothing unless we know who asks.
fn token(key: &KeyPair, certificate: &Certificate, scope: &str, is_known: bool) -> anyhow::Result<String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let parts: Vec<&str> = scope.splitn(3, ':').collect();
    let access = match parts.as_slice() {
        [kind, name, actions] if is_known => {
            json!([{ "type": kind, "name": name, "actions": actions.split(',').collect::<Vec<_>>() }])
        }
        _ => json!([]),
    };
    let header = json!({ "typ": "JWT", "alg": "ES256", "x5c": [STANDARD.encode(certificate.der())] });
    let claims = json!({
        "iss": NAME, "sub": "user", "aud": SERVICE, "exp": now + 300, "nbf": now - 10, "iat": now,
        "jti": "1", "access": access,
    });
    let signed = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header.to_string()),
        URL_SAFE_NO_PAD.encode(claims.to_string())
    );
    let signature = fixed(&key.sign(signed.as_bytes())?).context("an ECDSA signature has two numbers")?;
    Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

/// DER's two integers as 32 bytes each (RFC 7518 section 3.4).
fn fixed(der: &[u8]) -> Option<Vec<u8>> {
    let mut rest = der.get(2..)?;
    let mut numbers = Vec::new();
    for _ in 0..2 {
        let length = usize::from(*rest.get(1)?);
        let number = rest.get(2..2 + length)?;
        rest = &rest[2 + length..];
        let number = number.strip_prefix(&[0]).unwrap_or(number);
        numbers.extend(std::iter::repeat_n(0, 32_usize.checked_sub(number.len())?));
        numbers.extend_from_slice(number);
    }
    Some(numbers)
}
