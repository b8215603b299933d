//! Whatever a stranger's request says, what the owner reads of it stays on its line and says what was asked.

use super::*;
use cofferdam_fuzz::fuzz;

#[test]
fn a_request_is_shown_in_harmless_lines() {
    fuzz("request", target);
}

fn target(input: &[u8]) -> Result<Vec<Option<String>>, String> {
    match understand(input.to_vec()) {
        Ok(request) => {
            let lines: Vec<String> =
                entries(&request.wish).iter().map(|(what, entry)| line(what, entry)).collect();
            assert!(lines.iter().all(|line| is_harmless(line)), "{lines:?}");
            assert_eq!(request.bytes, input);
            Ok(lines.iter().map(|line| line.split(' ').next().map(str::to_owned)).collect())
        }
        Err((bytes, error)) => {
            let error = misunderstood(cannot(Path::new("/project")), &bytes, error);
            assert!(is_harmless(&error.why()), "{:?}", error.why());
            Err(error.why().chars().filter(char::is_ascii_alphabetic).take(24).collect())
        }
    }
}

fn is_harmless(line: &str) -> bool {
    let hides = |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    !line.chars().any(|c| c.is_control() || hides(c))
}
