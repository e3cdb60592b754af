//! Declarative end-to-end suites (falcosecurity/event-generator's `suite` language): files in, one verdict for each case
//! out. The system calls are real; the judge is the agent's library with upstream's rules.

pub mod judge;
pub mod stage;
pub mod suite;
