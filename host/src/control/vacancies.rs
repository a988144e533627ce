//! Places of isolates that failed, for those that are born in their stead: that is how restarts are counted.
//!
//! Nobody tells the host that an isolate is started again. What it sees is that somebody spawns one of the same module,
//! entry and name again after one had failed, and each failure is made up for by one birth.

use crate::sync::Mutex;

/// What the failed children of somebody left.
#[derive(Debug, Default)]
pub(super) struct Vacancies(Mutex<Vec<Vacancy>>);

#[derive(Debug)]
struct Vacancy {
    /// What is the same of those that follow each other.
    kin: u64,
    /// How many failed there.
    failed: u64,
}

/// Places that are kept of one who spawns. Of more the oldest are forgotten: those who fail may all differ.
const VACANCIES_MAX: usize = 64;

impl Vacancies {
    /// One of this kin failed, in whose place so many had failed before.
    pub(super) fn leave(&self, kin: u64, before: u64) {
        let mut vacancies = self.0.lock();
        if vacancies.len() == VACANCIES_MAX {
            vacancies.remove(0);
        }
        vacancies.push(Vacancy { kin, failed: before + 1 });
    }

    /// One of this kin is born. Answers how many failed in the place that it takes; none in a new one.
    pub(super) fn take(&self, kin: u64) -> u64 {
        let mut vacancies = self.0.lock();
        let at = vacancies.iter().position(|vacancy| vacancy.kin == kin);
        at.map_or(0, |at| vacancies.remove(at).failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_is_made_up_for_by_one_birth() {
        let vacancies = Vacancies::default();
        assert_eq!(vacancies.take(1), 0);
        vacancies.leave(1, 0);
        vacancies.leave(1, 4);
        assert_eq!([vacancies.take(2), vacancies.take(1), vacancies.take(1), vacancies.take(1)], [0, 1, 5, 0]);
    }

    #[test]
    fn of_many_that_differ_the_oldest_are_forgotten() {
        let vacancies = Vacancies::default();
        (0..=VACANCIES_MAX as u64).for_each(|kin| vacancies.leave(kin, 0));
        assert_eq!([vacancies.take(0), vacancies.take(1), vacancies.take(VACANCIES_MAX as u64)], [0, 1, 1]);
    }
}
