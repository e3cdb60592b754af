//! The behaviour suite: real images, their normal work and attacks on them in; what the agent said of each out.
//!
//! ```text
//! images.yaml ─► image ─► scan ─► container ─┐
//! *.yaml (FunctionalTestSuite, AttackSuite) ─┴► stage: one act after the other ─► outcome per act ─► table
//!                    agent ─► watch: alerts with their time of arrival ─┘          recording ─► observed against facts
//! ```

mod image;
mod observed;
mod outcome;
mod run;
mod stage;
mod suite;
mod table;
mod watch;

pub use image::{ImageSpec, Images};
pub use observed::{Agreement, Recorded};
pub use outcome::{ActOutcome, ImageOutcome, ProfileFigures, Verdict, total};
pub use run::{Options, run};
pub use suite::{Act, Answer, Kind, Step, Suite, Wanted, load};
pub use table::write;
