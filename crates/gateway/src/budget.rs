//! What is left of each grant's budget. The numbers are the policy's; here they are counted down.
//!
//! What is counted is heads of requests before they are sent, and bodies and unread bytes as they pass, so that a budget is overdrawn by one buffer at most.

use cofferdam_policy::net::budget::Budget;
use cofferdam_policy::net::refusal::RefusalReason;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use thiserror::Error;

/// A part of a budget that is spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum Exhausted {
    /// Bytes to the origin.
    #[error("the grant's bytes to the origin are used up")]
    Up,
    /// Bytes from the origin.
    #[error("the grant's bytes from the origin are used up")]
    Down,
    /// Requests.
    #[error("the grant's requests are used up")]
    Requests,
    /// Requests of this second.
    #[error("the grant's requests of this second are used up")]
    Rate,
    /// Notes of what is under way: as many as there can be requests.
    #[error("there is no room to note the request")]
    Notes,
}

impl Exhausted {
    pub(crate) fn reason(self) -> RefusalReason {
        match self {
            Self::Up => RefusalReason::BudgetExhaustedUp,
            Self::Down => RefusalReason::BudgetExhaustedDown,
            Self::Requests => RefusalReason::BudgetExhaustedRequests,
            Self::Rate => RefusalReason::RateExceeded,
            Self::Notes => RefusalReason::TooManyOpen,
        }
    }
}

/// What is left under one grant.
#[derive(Debug)]
pub(crate) struct Allowance {
    /// Those of other grants, from which as much is taken.
    shared: Vec<Arc<Allowance>>,
    up: Option<AtomicU64>,
    down: Option<AtomicU64>,
    requests: Option<AtomicU64>,
    rate: Option<Mutex<Bucket>>,
}

/// Requests that may come at once: refilled by the second, never fuller than one second's worth.
#[derive(Debug)]
struct Bucket {
    per_second: f64,
    left: f64,
    at: Instant,
}

impl Allowance {
    fn of(budget: Budget, shared: Vec<Arc<Self>>, now: Instant) -> Self {
        let bucket = |per_second| Mutex::new(Bucket { per_second, left: per_second, at: now });
        Self {
            shared,
            up: budget.up.map(|count| AtomicU64::new(count.0)),
            down: budget.down.map(|count| AtomicU64::new(count.0)),
            requests: budget.requests.map(AtomicU64::new),
            rate: budget.rate.map(|rate| bucket(f64::from(rate.per_second.get()))),
        }
    }

    /// One request more. Bytes that are used up refuse it, too.
    pub(crate) fn request(&self, now: Instant) -> Result<(), Exhausted> {
        for (left, exhausted) in [(&self.up, Exhausted::Up), (&self.down, Exhausted::Down)] {
            if left.as_ref().is_some_and(|left| left.load(Ordering::Relaxed) == 0) {
                return Err(exhausted);
            }
        }
        if let Some(rate) = &self.rate {
            let mut bucket = rate.lock().unwrap_or_else(PoisonError::into_inner);
            let refill = now.saturating_duration_since(bucket.at).as_secs_f64() * bucket.per_second;
            bucket.left = (bucket.left + refill).min(bucket.per_second);
            bucket.at = now;
            if bucket.left < 1.0 {
                return Err(Exhausted::Rate);
            }
            bucket.left -= 1.0;
        }
        let own = spend(self.requests.as_ref(), 1, Exhausted::Requests);
        self.shared.iter().map(|shared| shared.request(now)).fold(own, Result::and)
    }

    pub(crate) fn up(&self, bytes: u64) -> Result<(), Exhausted> {
        let own = spend(self.up.as_ref(), bytes, Exhausted::Up);
        self.shared.iter().map(|shared| shared.up(bytes)).fold(own, Result::and)
    }

    pub(crate) fn down(&self, bytes: u64) -> Result<(), Exhausted> {
        let own = spend(self.down.as_ref(), bytes, Exhausted::Down);
        self.shared.iter().map(|shared| shared.down(bytes)).fold(own, Result::and)
    }
}

/// All or nothing; what is too much for the rest ends the budget.
fn spend(left: Option<&AtomicU64>, amount: u64, exhausted: Exhausted) -> Result<(), Exhausted> {
    let Some(left) = left else { return Ok(()) };
    let spent = left.try_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(amount));
    match spent {
        Ok(_before) => Ok(()),
        Err(_too_little) => {
            left.store(0, Ordering::Relaxed);
            Err(exhausted)
        }
    }
}

/// Those of all grants that hold until the session ends, by the grants' places, of which none is ever another grant's.
#[derive(Debug, Default)]
pub(crate) struct Budgets(Mutex<HashMap<usize, Arc<Allowance>>>);

impl Budgets {
    pub(crate) fn of(&self, grant: usize, budget: Budget) -> Arc<Allowance> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let made = || Arc::new(Allowance::of(budget, Vec::new(), Instant::now()));
        Arc::clone(all.entry(grant).or_insert_with(made))
    }

    /// Of a grant that is the owner's answer to a question. It has its budget from others, and what passes under it is
    /// taken from those: an answer says what may be asked for, and not that there is more to spend.
    pub(crate) fn of_answer(
        &self,
        budget: Budget,
        others: impl Iterator<Item = (usize, Budget)>,
    ) -> Arc<Allowance> {
        let shared = others.map(|(grant, budget)| self.of(grant, budget)).collect();
        Arc::new(Allowance::of(budget, shared, Instant::now()))
    }

    /// Takes it for a grant that has come last.
    pub(crate) fn put(&self, grant: usize, allowance: Arc<Allowance>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(grant, allowance);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cofferdam_policy::net::grant::{Grant, GrantOrigin};
    use std::time::Duration;

    fn allowance(words: &str, now: Instant) -> Allowance {
        let grant = Grant::from_line(&format!("GET a.test:443/** {words}"), GrantOrigin::Flag).unwrap();
        Allowance::of(grant.budget, Vec::new(), now)
    }

    #[test]
    fn bytes_are_counted_down_and_what_is_too_much_ends_them() {
        let now = Instant::now();
        let allowance = allowance("up=10B down=5B", now);
        allowance.up(6).unwrap();
        allowance.request(now).unwrap();
        assert_eq!(allowance.up(5), Err(Exhausted::Up));
        assert_eq!(allowance.request(now), Err(Exhausted::Up));
        allowance.down(5).unwrap();
        assert_eq!(allowance.down(1), Err(Exhausted::Down));
    }

    #[test]
    fn requests_are_counted_and_bounded_by_the_second() {
        let now = Instant::now();
        let counted = allowance("requests=2", now);
        counted.request(now).unwrap();
        counted.request(now).unwrap();
        assert_eq!(counted.request(now), Err(Exhausted::Requests));
        let bounded = allowance("rate=2/s", now);
        bounded.request(now).unwrap();
        bounded.request(now).unwrap();
        assert_eq!(bounded.request(now), Err(Exhausted::Rate));
        bounded.request(now + Duration::from_millis(500)).unwrap();
        assert_eq!(bounded.request(now + Duration::from_millis(900)), Err(Exhausted::Rate));
    }

    #[test]
    fn what_an_answer_lets_through_is_taken_from_the_budgets_that_it_has_and_from_none_else() {
        let budgets = Budgets::default();
        let budget = |words: &str| {
            Grant::from_line(&format!("GET a.test:443/** {words}"), GrantOrigin::Flag).unwrap().budget
        };
        let (narrow, wide) = (budget("up=10B"), budget("up=1kB requests=3"));
        let others = || [(0, narrow), (1, wide)].into_iter();
        let once = || budgets.of_answer(budget("up=10B requests=3"), others());
        let first = once();
        first.request(Instant::now()).unwrap();
        first.up(6).unwrap();
        assert_eq!(once().up(5), Err(Exhausted::Up), "another answer is no other budget");
        assert_eq!(budgets.of(0, narrow).up(1), Err(Exhausted::Up), "nor is the grant's own use");
        budgets.of(1, wide).up(900).unwrap();
        // The control: what has a budget of its own has all of it, whatever was answered before.
        budgets.put(2, budgets.of_answer(Budget::default(), [].into_iter()));
        budgets.of(3, narrow).up(10).unwrap();
        budgets.of(2, narrow).up(5_000_000).unwrap();
    }
}
