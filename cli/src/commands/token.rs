//! `plimsoll token`: makes tokens on the server's own machine, for scripts that set it up.

use std::path::PathBuf;

use plimsoll_web::{NewToken, make_token, store::Role};

use crate::exit::{Exit, Failure};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Folder of the server's database, as given to `plimsoll serve`
    #[arg(
        long,
        env = "PLIMSOLL_DATA",
        default_value = "/var/lib/plimsoll",
        value_name = "FOLDER"
    )]
    data: PathBuf,
    #[command(subcommand)]
    kind: Kind,
}

#[derive(clap::Subcommand)]
enum Kind {
    /// For `plimsoll scan --server` and other users of the API (PLIMSOLL_TOKEN)
    Api {
        /// What it is for
        name: String,
        /// What it may do
        #[arg(long, default_value = "operator", value_parser = ["viewer", "operator", "admin"])]
        role: String,
        /// Days until it stops working
        #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=3_650))]
        valid_days: u32,
    },
    /// Admits agents: `plimsoll agent --server URL --enrolment-token TOKEN`
    Enrolment {
        /// How many agents
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        uses: u32,
        /// Hours until it stops working
        #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=720))]
        valid_hours: u32,
    },
}

/// Prints the token, and nothing else, to stdout.
pub(crate) fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let new = match arguments.kind {
        Kind::Api { name, role, valid_days } => NewToken::Api {
            name,
            role: Role::ALL
                .into_iter()
                .find(|known| known.name() == role)
                .unwrap_or(Role::Viewer),
            valid_days,
        },
        Kind::Enrolment { uses, valid_hours } => NewToken::Enrolment { uses, valid_hours },
    };
    let token = make_token(&arguments.data.join("plimsoll.db"), &new).map_err(super::serve::failure)?;
    println!("{token}");
    Ok(Exit::Go)
}
