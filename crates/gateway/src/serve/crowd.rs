//! Long heads that have not come to their end, counted over all connections of a session.
//!
//! One costs little, and as many as there may be connections more memory than the gateway has. So only some are read at
//! once. While others wait for room, the oldest that has to wait for its client is cut: an honest head is there as soon
//! as it is asked for. Nothing is read here.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// A head that is no longer needs no room: it fits in what hyper has for each connection that asks anything.
pub(super) const SHORT_BYTES_MAX: usize = 8 << 10;
/// Longer heads that are read at once. Each is in memory up to three times.
pub(crate) const LONG_HEADS_MAX: usize = 256;

/// The room of a session.
#[derive(Debug, Default)]
pub(crate) struct LongHeads(Mutex<Crowd>);

/// By the order in which they came.
#[derive(Debug, Default)]
struct Crowd {
    next: u64,
    read: BTreeMap<u64, Read>,
    waiting: BTreeMap<u64, Waker>,
}

#[derive(Debug)]
struct Read {
    /// Somebody waits for its room.
    is_pressed: bool,
    waker: Waker,
}

/// The room that one connection has, if it has any.
#[derive(Debug)]
pub(super) struct Room {
    all: Arc<LongHeads>,
    number: Option<u64>,
}

impl LongHeads {
    fn crowd(&self) -> MutexGuard<'_, Crowd> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Crowd {
    /// As many are pressed as others wait, the oldest first.
    fn press(&mut self) {
        let pressed = self.read.values().filter(|read| read.is_pressed).count();
        let missing = self.waiting.len().saturating_sub(pressed);
        for read in self.read.values_mut().filter(|read| !read.is_pressed).take(missing) {
            read.is_pressed = true;
            read.waker.wake_by_ref();
        }
    }
}

impl Room {
    pub(super) fn new(all: &Arc<LongHeads>) -> Self {
        Self { all: Arc::clone(all), number: None }
    }

    /// Ready when there is room for a long head.
    pub(super) fn poll(&mut self, context: &Context<'_>) -> Poll<()> {
        let mut crowd = self.all.crowd();
        let number = *self.number.get_or_insert_with(|| {
            crowd.next += 1;
            crowd.next
        });
        if crowd.read.contains_key(&number) {
            return Poll::Ready(());
        }
        // Room that is given up goes to who waits, never to who comes.
        if crowd.read.len() < LONG_HEADS_MAX {
            crowd.read.insert(number, Read { is_pressed: false, waker: context.waker().clone() });
            return Poll::Ready(());
        }
        crowd.waiting.insert(number, context.waker().clone());
        crowd.press();
        Poll::Pending
    }

    /// Whether a head has to go whose next bytes are not there: others wait for its room. If not, the task is woken when
    /// they do.
    pub(super) fn is_pressed(&self, context: &Context<'_>) -> bool {
        let mut crowd = self.all.crowd();
        let read = self.number.and_then(|number| crowd.read.get_mut(&number));
        read.is_some_and(|read| {
            read.waker.clone_from(context.waker());
            read.is_pressed
        })
    }

    /// The head is whole, or is given up.
    pub(super) fn leave(&mut self) {
        let Some(number) = self.number.take() else { return };
        let mut crowd = self.all.crowd();
        crowd.waiting.remove(&number);
        if crowd.read.remove(&number).is_none() {
            return;
        }
        if let Some((next, waker)) = crowd.waiting.pop_first() {
            waker.wake_by_ref();
            crowd.read.insert(next, Read { is_pressed: false, waker });
            crowd.press();
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn polled(room: &mut Room) -> bool {
        room.poll(&Context::from_waker(Waker::noop())).is_ready()
    }

    fn is_pressed(room: &Room) -> bool {
        room.is_pressed(&Context::from_waker(Waker::noop()))
    }

    #[test]
    fn the_oldest_make_room_for_as_many_as_wait_and_who_comes_takes_no_ones_place() {
        let all = Arc::default();
        let mut rooms: Vec<Room> = (0..LONG_HEADS_MAX).map(|_| Room::new(&all)).collect();
        assert!(rooms.iter_mut().all(polled) && !rooms.iter().any(is_pressed));
        let (mut first, mut second, mut third) = (Room::new(&all), Room::new(&all), Room::new(&all));
        assert!(!polled(&mut first) && !polled(&mut first) && !polled(&mut second));
        let pressed: Vec<bool> = rooms.iter().map(is_pressed).collect();
        assert_eq!(pressed.iter().position(|pressed| !pressed), Some(2), "two wait, and two have to go");
        drop(rooms.remove(0));
        assert!(!polled(&mut third), "it waits behind those who came before");
        assert!(polled(&mut first) && !polled(&mut second));
        assert!(is_pressed(&rooms[0]) && is_pressed(&rooms[1]) && !is_pressed(&rooms[2]));
        // Who goes while it waits presses nobody further.
        drop(second);
        rooms.clear();
        assert!(polled(&mut third) && !is_pressed(&third));
        let crowd = all.crowd();
        assert_eq!((crowd.read.len(), crowd.waiting.len()), (2, 0));
        drop(crowd);
    }
}
