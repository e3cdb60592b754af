//! What is left of root's power once the agent has started: nothing in, few capabilities and a filter of system calls on the
//! calling thread, and on all that it starts, out.
//!
//! The agent looks at hostile processes, files and peers. Should one of them ever take it over, it must not be able to start
//! a program, trace a process, load a module, mount anything, or become somebody else.

use std::fmt;

use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities, set_no_new_privs};

use crate::load;

mod calls;

/// A capability that the agent keeps.
#[derive(Debug)]
pub struct Kept {
    /// `CAP_BPF`.
    pub name: &'static str,
    /// What for.
    pub reason: &'static str,
    set: CapabilitySet,
}

/// All of them. The unit in `deploy/systemd` names the same.
pub const KEPT: &[Kept] = &[
    Kept {
        name: "CAP_BPF",
        reason: "loads sensors, also for changed rules, and uses the maps that they share with it",
        set: CapabilitySet::BPF,
    },
    Kept {
        name: "CAP_PERFMON",
        reason: "lets sensors read kernel memory and be attached to tracepoints",
        set: CapabilitySet::PERFMON,
    },
    Kept {
        name: "CAP_NET_ADMIN",
        reason: "attaches the sensors of connections to the root cgroup",
        set: CapabilitySet::NET_ADMIN,
    },
    Kept {
        name: "CAP_SYS_PTRACE",
        reason: "reads /proc of other users' processes: their mounts, their root's lists of users",
        set: CapabilitySet::SYS_PTRACE,
    },
    Kept {
        name: "CAP_DAC_READ_SEARCH",
        reason: "reads other users' files: container engines' records, scan reports, changed rules",
        set: CapabilitySet::DAC_READ_SEARCH,
    },
];

/// What became of it.
#[derive(Debug)]
pub struct Confinement {
    /// Capabilities of [`KEPT`] that this process never had, with what they are for.
    pub missing: Vec<&'static Kept>,
    /// What could not be given up or set up, for people; empty when all could.
    pub failures: Vec<String>,
}

/// Gives up what the agent does not need. To be called before threads are started: those that run keep their capabilities.
pub fn confine() -> Confinement {
    let mut failures = Vec::new();
    let mut note = |what: &str, result: Result<(), String>| {
        if let Err(reason) = result {
            failures.push(format!("{what}: {reason}"));
        }
    };
    note(
        "tracefs cannot be mounted",
        load::keep_in_sight().map_err(|error| error.to_string()),
    );
    let missing = match give_up_capabilities() {
        Ok(missing) => missing,
        Err(error) => {
            note("capabilities cannot be given up", Err(error.to_string()));
            Vec::new()
        }
    };
    note(
        "programs that raise privileges cannot be ruled out",
        set_no_new_privs(true).map_err(|error| error.to_string()),
    );
    note("system calls cannot be filtered", calls::install());
    Confinement { missing, failures }
}

fn wanted() -> CapabilitySet {
    KEPT.iter().map(|kept| kept.set).collect()
}

fn give_up_capabilities() -> rustix::io::Result<Vec<&'static Kept>> {
    let had = capabilities(None)?.permitted;
    // A child that became root again would not have them either. Needs a capability itself; without it there is nothing to
    // be had by an exec anyway, since new privileges are ruled out.
    for capability in had.difference(wanted()).iter() {
        let _ = rustix::thread::remove_capability_from_bounding_set(capability);
    }
    let _ = rustix::thread::clear_ambient_capability_set();
    let kept = had.intersection(wanted());
    set_capabilities(
        None,
        CapabilitySets {
            effective: kept,
            permitted: kept,
            inheritable: CapabilitySet::empty(),
        },
    )?;
    Ok(KEPT.iter().filter(|one| !kept.contains(one.set)).collect())
}

/// For `plimsoll agent doctor`: what an agent that this process became would keep.
#[derive(Debug)]
pub struct Outlook {
    had: Option<CapabilitySet>,
}

/// Looks at what this process has; changes nothing.
pub fn outlook() -> Outlook {
    Outlook {
        had: capabilities(None).ok().map(|sets| sets.permitted),
    }
}

impl fmt::Display for Outlook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "what the agent keeps of root's power once it runs:")?;
        for kept in KEPT {
            let word = match self.had {
                Some(had) if !had.contains(kept.set) => "NO  ",
                _ => "yes ",
            };
            writeln!(f, "  {word} {:19}  {}", kept.name, kept.reason)?;
        }
        writeln!(
            f,
            "  {} system calls; none starts a program or a process, traces, mounts, loads a module, or changes user or rights",
            calls::count()
        )
    }
}
