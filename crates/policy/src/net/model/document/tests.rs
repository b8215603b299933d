//! What a tree takes, and that it says what the body says.

use super::*;

#[test]
fn a_value_takes_24_bytes_and_a_field_48() {
    assert_eq!((size_of::<Json<'_>>(), size_of::<(Text<'_>, Json<'_>)>()), (24, 48));
}

/// With what the allocator rounds up, and the list that is moved while it grows. One tree is there at a time, for the
/// gateway has one thread; beside it are as many bodies as its desk has places.
const REAL_BYTES_MAX: usize = TREE_BYTES_MAX * 3 / 2;

/// The most that this process ever had in memory, in bytes.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1_024
}

/// How much more memory the process had than before, and what came of it.
fn reading(body: &str) -> (usize, Result<(), ModelRefusal>) {
    let before = peak();
    let read = read(body.as_bytes()).map(drop);
    (peak() - before, read)
}

#[test]
fn the_attack_of_a_body_of_braces_takes_a_small_multiple_of_the_longest_body() {
    let deep = format!("{}0{}", "{\"\":".repeat(97), "}".repeat(97));
    let braces = |count: usize| format!("{{\"input\":[{}]}}", vec![deep.as_str(); count].join(","));
    let (taken, read) = reading(&braces(10_100));
    assert_eq!(read, Ok(()), "as many values as are permitted");
    assert!(taken < REAL_BYTES_MAX, "{taken}");
    assert!(reading(&braces(10_400)).1.is_err());
}

#[test]
fn the_attack_of_a_body_of_escapes_is_stopped_by_the_bytes_that_its_tree_takes() {
    let fields = |count: usize, length: usize| {
        let text = format!("\\u0061{}", "b".repeat(length));
        let one = format!("{{\"{text}\":\"{text}\"}}");
        format!("{{\"input\":[{}]}}", vec![one.as_str(); count].join(","))
    };
    let (taken, read) = reading(&fields(450_000, 1));
    assert_eq!(read, Ok(()));
    assert!(taken < REAL_BYTES_MAX, "{taken}");
    let (taken, read) = reading(&fields(450_000, 24));
    assert_eq!(read, Err(ModelRefusal::TooManyValues), "a body within its length and its values");
    assert!(taken < REAL_BYTES_MAX, "{taken}");
}

#[test]
fn what_the_tree_takes_is_counted_at_its_edge() {
    let state = State::default();
    let taken = |bytes| state.take::<serde_json::Error>(bytes).is_ok();
    assert!(taken(TREE_BYTES_MAX) && !taken(1));
    assert_eq!(state.trouble.borrow_mut().take(), Some(ModelRefusal::TooManyValues));
}

#[test]
fn the_attack_of_an_object_with_very_many_keys_costs_no_square() {
    let keys = |count: usize| (0..count).map(|at| format!("\"{at}\":0,")).collect::<String>();
    let begun = std::time::Instant::now();
    assert!(read(format!("{{{}\"x\":0}}", keys(400_000)).as_bytes()).is_ok());
    let twice = format!("{{{}\"7\":0}}", keys(400_000));
    assert_eq!(read(twice.as_bytes()), Err(ModelRefusal::TwoMeanings { key: "7".to_owned() }));
    // A square of that many comparisons takes minutes.
    assert!(begun.elapsed() < std::time::Duration::from_secs(20), "{:?}", begun.elapsed());
}

#[test]
fn doubled_keys_are_found_in_objects_of_every_size() {
    for count in 1..=2 * FIELDS_COMPARED_MAX {
        let keys = (0..count).map(|at| format!("\"k{at}\":0")).collect::<Vec<_>>().join(",");
        assert!(read(format!("{{{keys}}}").as_bytes()).is_ok());
        for at in 0..count {
            let doubled = read_owned(&format!("{{{keys},\"\\u006b{at}\":0}}"));
            assert_eq!(doubled, Err(ModelRefusal::TwoMeanings { key: format!("k{at}") }));
        }
    }
}

fn read_owned(body: &str) -> Result<(), ModelRefusal> {
    read(body.as_bytes()).map(drop)
}
