//! The smallest server: `server DATABASE PORT` listens on loopback until SIGTERM. The tests that kill a server start it.

use std::{future, net::SocketAddr, path::PathBuf};

use plimsoll_web::{Extent, Options, PolicySource, Server};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(database), Some(port)) = (arguments.next(), arguments.next()) else {
        return Err("usage: server DATABASE PORT".into());
    };
    let server = Server::prepare(Options {
        listen: SocketAddr::from(([127, 0, 0, 1], port.parse()?)),
        database: PathBuf::from(database),
        tls: None,
        allow_insecure: false,
        policy: PolicySource {
            rules: Vec::new(),
            waivers: None,
        },
        audit_rules: plimsoll_rules::RuleSet::default(),
        extent: Extent::Whole,
        scan_command: None,
    })
    .await?;
    println!("password {}", server.first_password().unwrap_or_default());
    println!("address {}", server.address());
    server.run(future::pending()).await?;
    Ok(())
}
