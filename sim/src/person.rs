//! People who pause, resume and cancel jobs, and look whether it took.
use crate::coordinator::id_of;
use crate::plan::Person;
use crate::world::{Event, World};
use protocol::job::JobState;
use scheduler::{Input, Steer};

impl World {
    /// Somebody steers a job.
    pub(crate) fn steer(&mut self, job: usize, person: Person) {
        let known = self
            .store
            .jobs
            .get(&job)
            .is_some_and(|stored| !stored.state.is_over());
        // Nobody lets a job go on that they could not stop yet.
        let too_early = person == Person::Resume && !self.paused.contains(&job);
        if !self.coordinator.is_up() || !known || too_early {
            // They try again until it is there, or it is over.
            if !self.over.contains_key(&job) {
                self.after(1_000_000, Event::Steer(job, person));
            }
            return;
        }
        self.line(&format!("job {job}: {person:?}"));
        let steer = match person {
            Person::Pause => {
                self.paused.insert(job);
                Steer::Pause
            }
            Person::Resume => Steer::Resume,
            Person::Cancel => Steer::Cancel { reason: None },
        };
        if person == Person::Cancel && !self.cancelled.contains_key(&job) {
            self.cancelled.insert(job, self.now_us);
            self.after(self.stop_us_max(), Event::StopCheck(job));
            self.after(self.cancel_us_max(), Event::CancelCheck(job));
        }
        self.scheduler(Input::Steer {
            job: id_of(job),
            steer,
        });
        // Whoever steers sees whether it took; a crash may have lost it.
        self.after(3_000_000, Event::SteerCheck(job, person));
    }

    /// Whoever steered a job looks whether it took, and does it again when a crash has lost it.
    pub(crate) fn steer_check(&mut self, job: usize, person: Person) {
        let state = self.store.jobs.get(&job).map(|stored| stored.state);
        let took = match (person, state) {
            (_, None) => false,
            (_, Some(state)) if state.is_over() => true,
            (Person::Pause, _) => true,
            (Person::Resume, Some(state)) => state != JobState::Paused,
            (Person::Cancel, _) => false,
        };
        if !took {
            self.steer(job, person);
        }
    }
}
