//! Whatever an agent prints, in whatever pieces: the laws of the filter, beyond what their own generator thinks of.

use super::laws::{assert_allowed, in_chunks};
use super::*;
use cofferdam_fuzz::fuzz;

#[test]
fn what_an_agent_prints_stays_within_the_allow_list() {
    fuzz("terminal", target);
}

fn target(input: &[u8]) -> (Vec<u64>, usize) {
    let mut outcome = Vec::new();
    for medium in [Medium::Terminal, Medium::Pipe] {
        let mut filter = Filter::new(medium);
        let mut out = Vec::new();
        filter.feed(input, &mut out);
        assert_allowed(&out).unwrap();
        let mut again = Vec::new();
        Filter::new(medium).feed(&out, &mut again);
        assert_eq!(again, out);
        assert_eq!(in_chunks(medium, input, &[1, 2, 3]), out);
        let Dropped { strings, sequences, controls, characters } = filter.dropped();
        // A hundred of the same are no news.
        outcome.extend([strings, sequences, controls, characters].map(|count| count.min(3)));
    }
    let (mut out, mut replies) = (Vec::new(), Vec::new());
    let mut terminal = Terminal::new(Size::new(4, 9));
    terminal.feed(input, &mut out, &mut replies);
    terminal.repaint(&mut out);
    terminal.resize(Size::new(2, 3));
    terminal.leave(Departure::Detach, &mut out);
    assert!(replies.len() <= REPLY_BYTES_MAX);
    let shown = visible(input);
    assert!(!shown.chars().any(char::is_control), "{shown:?}");
    (outcome, replies.len())
}
