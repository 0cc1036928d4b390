//! A job's life: which state may follow which.
use protocol::job::JobState;
use protocol::totals::Totals;

/// Every state; a state's place in this list is its number on a disk. Only ever append.
pub(crate) const STATES: [JobState; 7] = [
    JobState::Queued,
    JobState::Running,
    JobState::Paused,
    JobState::Canceling,
    JobState::Succeeded,
    JobState::Failed,
    JobState::Canceled,
];

/// Whether [`Op::SetState`](super::Op::SetState) may take a job from one state to another. A job
/// succeeds only when it is complete.
pub(crate) fn may_follow(from: JobState, to: JobState, totals: &Totals) -> bool {
    match (from, to) {
        _ if from.is_over() || from == to => false,
        (JobState::Canceling, to) => to == JobState::Canceled,
        (from, JobState::Queued) => from == JobState::Paused,
        (_, JobState::Succeeded) => totals.is_complete(),
        _ => true,
    }
}

/// Whether failed and skipped shards of a job in this state may wait again.
pub(crate) fn may_retry(state: JobState, totals: &Totals) -> bool {
    match state {
        JobState::Canceling | JobState::Canceled => false,
        JobState::Succeeded => totals.shards_skipped > 0,
        _ => true,
    }
}

/// The state's number on a disk.
pub(crate) fn state_number(state: JobState) -> u8 {
    state as u8
}

/// The state with this number.
pub(crate) fn state_from_number(number: u8) -> Option<JobState> {
    STATES.get(usize::from(number)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_states_agree() {
        for (number, state) in STATES.iter().enumerate() {
            assert_eq!(usize::from(state_number(*state)), number);
        }
    }
}
