//! From an input that fails to a small one that fails too, by leaving out pieces.
//!
//! What fails differently counts as failing too.

use std::panic;

/// The most inputs that are tried.
const ATTEMPTS_MAX: usize = 2_000;

/// The smallest input found for which `fails` holds; `input` itself, if there is no smaller one.
pub(crate) fn shrunk(input: &[u8], fails: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let loud = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let mut smallest = input.to_vec();
    let mut width = smallest.len();
    let mut attempts_left = ATTEMPTS_MAX;
    while width > 0 {
        let mut start = 0;
        while start < smallest.len() && attempts_left > 0 {
            attempts_left -= 1;
            let end = start.saturating_add(width).min(smallest.len());
            let mut without = smallest.clone();
            without.drain(start..end);
            if fails(&without) {
                smallest = without;
            } else {
                start = end;
            }
        }
        width /= 2;
    }
    panic::set_hook(loud);
    smallest
}
