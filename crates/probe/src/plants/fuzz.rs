//! Any text is refused as plants, or taken so that the same plants come out on a child's command line.

use super::*;
use cofferdam_fuzz::fuzz;

#[test]
fn plants_are_taken_whole_or_refused() {
    fuzz("probe_plants", target);
}

fn target(input: &[u8]) -> Option<Vec<(Plant, bool)>> {
    let text = std::str::from_utf8(input).ok()?;
    let mut plants = Plants::default();
    plants.add_json(text).ok()?;
    let mut again = Plants::default();
    for argument in plants.as_arguments() {
        let (name, value) = argument.split_once('=').unwrap();
        again.add(name, value).unwrap();
    }
    assert_eq!(again.planted, plants.planted);
    Some(plants.planted.keys().map(|&plant| (plant, plants.pid(plant).is_ok())).collect())
}
