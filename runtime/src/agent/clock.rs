//! Two clocks: the sensors' own, which never jumps and by which everything is ordered and waited for, and the wall clock,
//! which people read and somebody may set while the agent runs.

use plimsoll_model::Alert;

use crate::read::boot_time_ns;

/// Smaller differences are the wall clock being slewed.
const STEP_NS: u64 = 1_000_000_000;

/// Wall-clock time as it was at the start, and by how much it was set since.
pub(super) struct Clock {
    /// Wall clock minus boot clock, nanoseconds, when the agent began.
    pub(super) offset_ns: u64,
    set_by_ns: i64,
    now: fn() -> u64,
}

impl Clock {
    /// `now` is the wall clock minus the boot clock.
    pub(super) fn start(offset_ns: u64, now: fn() -> u64) -> Self {
        Self {
            offset_ns,
            set_by_ns: 0,
            now,
        }
    }

    /// Wall-clock time as if nobody had set it: the time of events.
    pub(super) fn steady_ns(&self) -> u64 {
        boot_time_ns().saturating_add(self.offset_ns)
    }

    /// Looks whether somebody has set the wall clock; says so.
    pub(super) fn look(&mut self) -> Option<String> {
        let set_by_ns = (self.now)().wrapping_sub(self.offset_ns).cast_signed();
        let step_ns = set_by_ns.saturating_sub(self.set_by_ns);
        if step_ns.unsigned_abs() < STEP_NS {
            return None;
        }
        self.set_by_ns = set_by_ns;
        let direction = if step_ns < 0 { "back" } else { "forward" };
        Some(format!(
            "this machine's clock was set {direction} by {} s: alerts have the new time from here on",
            step_ns.unsigned_abs() / 1_000_000_000
        ))
    }

    /// Gives an alert the time that people read.
    pub(super) fn correct(&self, alert: &mut Alert) {
        let times = alert.follow_ups.iter_mut().map(|follow_up| &mut follow_up.time_ns);
        for time_ns in times.chain([&mut alert.time_ns]) {
            *time_ns = self.read_ns(*time_ns);
        }
    }

    /// What the wall clock says now of an event's time.
    fn read_ns(&self, time_ns: u64) -> u64 {
        time_ns.saturating_add_signed(self.set_by_ns)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use plimsoll_model::FollowUp;

    use super::*;
    use crate::{
        agent::{delivery::Parcel, run::parcel},
        alert::Told,
        output::sample,
        pipeline::Output,
    };

    const HOUR_NS: u64 = 3_600_000_000_000;

    /// Times of an alert and of what follows from it, as they are handed out.
    fn handed_out(clock: &Clock, is_new: bool) -> (u64, u64) {
        let mut alert = sample("a");
        alert.time_ns = 20 * HOUR_NS;
        alert.follow_ups.push(FollowUp {
            time_ns: 21 * HOUR_NS,
            observed: "connect".to_owned(),
            rules: Vec::new(),
        });
        let told = match is_new {
            true => Told::New(Box::new(alert)),
            false => Told::Changed(Box::new(alert)),
        };
        match parcel(Output::Told(told), clock) {
            Some(Parcel::Alert(alert)) if is_new => (alert.time_ns, alert.follow_ups[0].time_ns),
            Some(Parcel::Changed(alert)) if !is_new => (alert.time_ns, alert.follow_ups[0].time_ns),
            _ => panic!("an alert is handed out as what it is"),
        }
    }

    #[test]
    fn alerts_and_their_follow_ups_have_the_time_that_people_read() {
        static OFFSET: AtomicU64 = AtomicU64::new(0);
        let mut clock = Clock::start(0, || OFFSET.load(Ordering::Relaxed));
        for (set_to, expected) in [(0, (20, 21)), (3, (23, 24)), (1, (21, 22))] {
            OFFSET.store(set_to * HOUR_NS, Ordering::Relaxed);
            clock.look();
            let expected = (expected.0 * HOUR_NS, expected.1 * HOUR_NS);
            assert_eq!(handed_out(&clock, true), expected);
            assert_eq!(handed_out(&clock, false), expected);
        }
    }

    #[test]
    fn a_clock_that_is_set_is_said_and_moves_alerts_but_not_what_is_waited_for() {
        static OFFSET: AtomicU64 = AtomicU64::new(0);
        let now = || OFFSET.load(Ordering::Relaxed);
        let set = |offset: u64| OFFSET.store(offset, Ordering::Relaxed);
        set(10 * HOUR_NS);
        let mut clock = Clock::start(10 * HOUR_NS, now);
        let before = clock.steady_ns();
        set(10 * HOUR_NS + 900_000_000);
        assert_eq!(clock.look(), None, "slewed");
        set(13 * HOUR_NS);
        let said = clock.look().unwrap();
        assert!(said.contains("forward by 10800 s"), "{said}");
        assert_eq!(clock.look(), None, "said once");
        assert!(clock.steady_ns() - before < HOUR_NS);
        assert_eq!(clock.read_ns(before), before + 3 * HOUR_NS);
        set(9 * HOUR_NS);
        let said = clock.look().unwrap();
        assert!(said.contains("back by 14400 s"), "{said}");
        assert_eq!(clock.read_ns(before), before - HOUR_NS);
    }
}
