//! Whatever a secret or a printed shape is, a shape parses to itself and gives a handle that is one, and holds nothing of
//! the secret but what the table has.

use super::*;
use cofferdam_fuzz::fuzz;

#[test]
fn no_secret_and_no_text_makes_a_shape_that_breaks_a_promise() {
    fuzz("secret_shape", target);
}

fn target(input: &[u8]) -> [bool; 2] {
    let described = Shape::of(input).ok();
    let parsed = std::str::from_utf8(input).ok().and_then(|text| text.parse::<Shape>().ok());
    for shape in described.iter().chain(&parsed) {
        assert_eq!(&shape.to_string().parse::<Shape>().unwrap(), shape);
        let handle = Handle::new(shape, &[7; HANDLE_SEED_BYTES]);
        assert_eq!(Handle::try_from(handle.as_str().to_owned()).unwrap(), handle);
        assert!(handle.as_str().starts_with(shape.prefix()));
    }
    [described.is_some(), parsed.is_some()]
}
