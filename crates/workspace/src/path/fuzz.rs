//! Any path is refused, or shown harmlessly and had back from what is shown.

use super::*;
use cofferdam_fuzz::fuzz;

#[test]
fn a_path_is_refused_or_shown_harmlessly_and_had_back() {
    fuzz("workspace_path", target);
}

fn target(input: &[u8]) -> (Option<usize>, bool) {
    let written = WorkspacePath::new(input.to_vec()).ok().map(|path| {
        let shown = String::from(path.clone());
        assert!(shown.chars().all(|character| !character.is_control()), "{shown:?}");
        assert_eq!(WorkspacePath::try_from(shown).as_ref(), Ok(&path));
        assert!(path.is_within(path.parent()) && path.is_within(path.as_bytes()));
        path.as_bytes().split(|byte| *byte == b'/').count()
    });
    let read = WorkspacePath::try_from(String::from_utf8_lossy(input).into_owned());
    if let Ok(path) = &read {
        assert_eq!(WorkspacePath::new(path.as_bytes()).as_ref(), Ok(path));
    }
    (written, read.is_ok())
}
