//! Arguments of enforcement in, what an agent may refuse out.

use clap::ValueEnum;
use plimsoll_model::Confidence;
use plimsoll_runtime::enforce::{Enforcement, Instead, Mode};

#[derive(clap::Args)]
#[command(next_help_heading = "Enforcement")]
pub(super) struct EnforcementArguments {
    /// What to do about acts that a profile rules out: count them, say so in their alerts, or refuse them
    #[arg(long, value_name = "MODE")]
    enforce: Option<ModeName>,
    /// Another mode for images whose reference fits a pattern with `*`; may be repeated, the last that fits counts
    #[arg(long, value_name = "PATTERN=MODE", value_parser = image)]
    enforce_image: Vec<(String, ModeName)>,
    /// Least sure evidence that counts: a is certain, b is good for alerts
    #[arg(long, value_name = "LEVEL", default_value = "a")]
    enforce_confidence: Level,
    /// What happens to the process where this kernel can refuse nothing
    #[arg(long, value_name = "SIGNAL", default_value = "kill")]
    enforce_with: SignalName,
    /// Refusals stay when the agent ends, until the next one takes over or `plimsoll agent release`
    #[arg(long)]
    enforce_stays: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ModeName {
    Off,
    Observe,
    Alert,
    Enforce,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Level {
    A,
    B,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SignalName {
    Kill,
    Stop,
}

impl ModeName {
    fn mode(self) -> Option<Mode> {
        match self {
            Self::Off => None,
            Self::Observe => Some(Mode::Observe),
            Self::Alert => Some(Mode::Alert),
            Self::Enforce => Some(Mode::Enforce),
        }
    }
}

/// `None` when nothing was asked for: then nothing of it is loaded.
pub(super) fn enforcement(arguments: &EnforcementArguments) -> Option<Enforcement> {
    let images = arguments.enforce_image.iter();
    let enforcement = Enforcement {
        mode: arguments.enforce.and_then(ModeName::mode),
        images: images.map(|(pattern, mode)| (pattern.clone(), mode.mode())).collect(),
        confidence: match arguments.enforce_confidence {
            Level::A => Confidence::A,
            Level::B => Confidence::B,
        },
        instead: match arguments.enforce_with {
            SignalName::Kill => Instead::Kill,
            SignalName::Stop => Instead::Stop,
        },
        outlives_agent: arguments.enforce_stays,
    };
    let is_any = enforcement.mode.is_some() || enforcement.images.iter().any(|(_, mode)| mode.is_some());
    is_any.then_some(enforcement)
}

fn image(text: &str) -> Result<(String, ModeName), String> {
    let (pattern, mode) = text.rsplit_once('=').ok_or_else(|| "is not PATTERN=MODE".to_owned())?;
    let mode = ModeName::from_str(mode, false).map_err(|_| "has no mode of off, observe, alert, enforce".to_owned())?;
    Ok((pattern.to_owned(), mode))
}
