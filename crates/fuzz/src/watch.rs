//! Tells of an input that takes too long, which no panic would.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// One input may take so long.
const INPUT_TIME_MAX: Duration = Duration::from_secs(5);

/// What is being tried, and the how-manieth it is; 0 when nothing is.
#[derive(Debug, Default)]
struct Current {
    number: AtomicU64,
    input: Mutex<Vec<u8>>,
}

/// Watches the inputs of one run, and ends the process when one of them hangs.
#[derive(Debug)]
pub(crate) struct Watch {
    current: Arc<Current>,
}

impl Watch {
    pub(crate) fn start(name: &str) -> Self {
        let current = Arc::new(Current::default());
        let (watched, name) = (Arc::downgrade(&current), name.to_owned());
        std::thread::spawn(move || {
            let mut before = 0;
            // The thread ends with the run.
            while let Some(current) = watched.upgrade() {
                let number = current.number.load(Ordering::Relaxed);
                if number != 0 && number == before {
                    tell_and_end(&name, &current);
                }
                before = number;
                drop(current);
                std::thread::sleep(INPUT_TIME_MAX);
            }
        });
        Self { current }
    }

    pub(crate) fn begins(&self, input: &[u8]) {
        let mut kept = self.current.input.lock().unwrap_or_else(PoisonError::into_inner);
        kept.clear();
        kept.extend_from_slice(input);
        drop(kept);
        self.current.number.fetch_add(1, Ordering::Relaxed);
    }

    /// What follows is no input, and may take long.
    pub(crate) fn rests(&self) {
        self.current.number.store(0, Ordering::Relaxed);
    }
}

fn tell_and_end(name: &str, current: &Current) -> ! {
    let input = current.input.lock().unwrap_or_else(PoisonError::into_inner);
    let kept = crate::crash::kept(name, &input);
    crate::tell(&format!(
        "{name} takes longer than {INPUT_TIME_MAX:?} on b\"{}\"{kept}",
        input.escape_ascii()
    ));
    std::process::exit(1)
}
