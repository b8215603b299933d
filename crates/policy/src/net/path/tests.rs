//! Paths that two servers could read differently, and what patterns mean.

use super::*;
use proptest::prelude::*;

fn matches(pattern: &str, path: &str) -> bool {
    let path = CanonicalPath::parse_with_encoded_slash(path.as_bytes()).unwrap();
    pattern.parse::<PathPattern>().unwrap().matches(&path)
}

#[test]
fn paths_that_could_be_read_in_two_ways_are_refused() {
    use PathError::{
        Byte, DotSegment, EmptySegment, Encoded, EncodedSlash, Lookalike, NotAbsolute, NotUtf8, Percent,
        TooLong,
    };
    for (path, expected) in [
        ("", NotAbsolute),
        ("*", NotAbsolute),
        ("a/b", NotAbsolute),
        ("http://a/b", NotAbsolute),
        ("//a", EmptySegment),
        ("/a//b", EmptySegment),
        ("/a//", EmptySegment),
        ("/./a", DotSegment),
        ("/a/..", DotSegment),
        ("/a/../b", DotSegment),
        ("/a/%2e%2e/b", Encoded(b'.')),
        ("/a/.%2E/b", Encoded(b'.')),
        ("/a%2fb", EncodedSlash),
        ("/a%2F..%2Fb", DotSegment),
        ("/%2fb", EmptySegment),
        ("/a%2f", EmptySegment),
        ("/a%2f%2fb", EmptySegment),
        ("/a%5cb", Encoded(b'\\')),
        ("/a\\b", Byte(b'\\')),
        ("/a;b", Byte(b';')),
        ("/..;/a", Byte(b';')),
        ("/a%3bb", Encoded(b';')),
        ("/a%00", Encoded(0)),
        ("/a%0d%0ab", Encoded(b'\r')),
        ("/a\r\nb", Byte(b'\r')),
        ("/a b", Byte(b' ')),
        ("/a?b", Byte(b'?')),
        ("/a#b", Byte(b'#')),
        ("/\u{e9}", Byte(0xc3)),
        ("/a%", Percent),
        ("/a%4", Percent),
        ("/a%zz", Percent),
        ("/%u002e", Percent),
        ("/a%61", Encoded(b'a')),
        ("/a%252fb", Encoded(b'%')),
        ("/a%252e%252e", Encoded(b'%')),
        ("/%c0%ae%c0%ae/a", NotUtf8),
        ("/a%c0%afb", NotUtf8),
        ("/a%e0%80%afb", NotUtf8),
        ("/a%e9", NotUtf8),
        ("/a%ed%a0%80", NotUtf8),
        ("/%ef%bc%8e%ef%bc%8e/a", Lookalike('\u{ff0e}')),
        ("/a%ef%bc%8fb", Lookalike('\u{ff0f}')),
        ("/a%e2%88%95b", Lookalike('\u{2215}')),
        ("/a%e2%81%84b", Lookalike('\u{2044}')),
        ("/%ef%b9%92%ef%b9%92/a", Lookalike('\u{fe52}')),
        ("/%e2%80%a5/a", Lookalike('\u{2025}')),
        ("/a%cd%beb", Lookalike('\u{37e}')),
        ("/a%ef%bc%85b", Lookalike('\u{ff05}')),
    ] {
        assert_eq!(
            CanonicalPath::parse(path.as_bytes()).map(|path| path.as_str().to_owned()),
            Err(expected),
            "{path}"
        );
    }
    let long = format!("/{}", "a".repeat(PATH_BYTES_MAX));
    assert_eq!(CanonicalPath::parse(long.as_bytes()), Err(TooLong));
    assert!(CanonicalPath::parse(long.split_at(PATH_BYTES_MAX).0.as_bytes()).is_ok());
}

#[test]
fn the_attack_of_a_path_that_is_cut_or_trimmed_or_decoded_twice_is_refused() {
    use PathError::{Blank, DotSegment, Encoded, Lookalike};
    for (path, expected) in [
        ("/a%3fb", Encoded(b'?')),
        ("/a%23b", Encoded(b'#')),
        ("/a%25", Encoded(b'%')),
        ("/a%25u002e", Encoded(b'%')),
        ("/.../a", DotSegment),
        ("/a/....", DotSegment),
        ("/..%20/a", DotSegment),
        ("/%20../a", DotSegment),
        ("/.%20./a", DotSegment),
        ("/%20/a", DotSegment),
        ("/a%2f..%20%2fb", DotSegment),
        ("/..%c2%a0/a", DotSegment),
        ("/.%e2%80%8c./a", DotSegment),
        ("/%e2%80%a6/a", DotSegment),
        ("/a%20/b", Blank),
        ("/a/b%20", Blank),
        ("/%20a", Blank),
        ("/a%e2%80%8b", Blank),
        ("/a%c2%85/b", Blank),
        ("/a%c2%a5b", Lookalike('\u{a5}')),
        ("/a%e2%82%a9b", Lookalike('\u{20a9}')),
        ("/a%e2%81%87b", Lookalike('\u{2047}')),
    ] {
        let read = CanonicalPath::parse_with_encoded_slash(path.as_bytes());
        assert_eq!(read.map(|path| path.as_str().to_owned()), Err(expected), "{path}");
    }
}

#[test]
fn plain_paths_are_canonical() {
    for path in [
        "/",
        "/a",
        "/a/",
        "/a/b.c/...d",
        "/Example_Inc.",
        "/a%20b/c%20d.txt",
        "/a%E2%80%8Cb",
        "/%E2%82%ACa%E2%80%A6",
        "/.well-known/x",
        "/a..b",
        "/%E2%82%AC",
        "/~a/%7Eb",
        "/a:b@c=d,e!$&'()*+",
    ] {
        assert_eq!(CanonicalPath::parse(path.as_bytes()).unwrap().as_str(), path);
    }
    assert_eq!(CanonicalPath::parse(b"/%e2%82%ac%20a").unwrap().as_str(), "/%E2%82%AC%20a");
}

#[test]
fn one_star_is_one_segment_and_two_are_any_number() {
    for (pattern, path) in [
        ("/**", "/"),
        ("/**", "/a/b/"),
        ("/a/**", "/a"),
        ("/a/**", "/a/"),
        ("/a/**", "/a/b/c"),
        ("/a/*", "/a/b"),
        ("/a/**/d", "/a/d"),
        ("/a/**/d", "/a/b/d/c/d"),
        ("/**/a/**", "/x/a"),
        ("/v1/models/*:generate", "/v1/models/m-1:generate"),
        ("/*.json", "/.json"),
        ("/a*b*c", "/abbcbc"),
        ("/a/", "/a/"),
        ("/%e2%82%ac", "/%E2%82%AC"),
    ] {
        assert!(matches(pattern, path), "{pattern} {path}");
    }
    for (pattern, path) in [
        ("/a/**", "/ab"),
        ("/a/**", "/"),
        ("/a/*", "/a/"),
        ("/a/*", "/a"),
        ("/a/*", "/a/b/c"),
        ("/a", "/a/"),
        ("/a/", "/a"),
        ("/A", "/a"),
        ("/a/**/d", "/a/b/d/c"),
        ("/v1/models/*:generate", "/v1/models/a/b:generate"),
        ("/a*b*c", "/abcb"),
    ] {
        assert!(!matches(pattern, path), "{pattern} {path}");
    }
}

#[test]
fn an_encoded_slash_is_let_through_only_where_a_segment_names_it() {
    assert!(matches("/@*%2f*", "/@scope%2Fname") && matches("/a/@s%2F*/-/*", "/a/@s%2fname/-/x.tgz"));
    for pattern in ["/**", "/*", "/@*", "/@scope*", "/**/@*", "/@*/*", "/@*%2f", "/@*%2f*%2f*", "/*/**"] {
        if let Ok(pattern) = pattern.parse::<PathPattern>() {
            let path = CanonicalPath::parse_with_encoded_slash(b"/@scope%2fname").unwrap();
            assert!(!pattern.matches(&path), "{pattern}");
        }
    }
    assert!(matches("/@*%2f*/**", "/@a%2Fb/c") && !matches("/@*%2f*/**", "/@a%2Fb/c%2Fd"));
    assert!(!matches("/@*%2f*", "/@scope/name"));
}

#[test]
fn a_pattern_that_could_mean_something_else_is_refused() {
    for wrong in [
        "", "a", "//", "/a/../b", "/a**", "/**a", "/***", "/**/**", "/a?b", "/a b", "/a;b", "/%2e", "/a,",
        "/a%2f",
    ] {
        assert!(wrong.parse::<PathPattern>().is_err(), "{wrong}");
    }
    assert!("/**/a/**".parse::<PathPattern>().is_ok() && "/a,b".parse::<PathPattern>().is_ok());
}

#[test]
fn no_pattern_means_more_than_the_path_it_is_made_of() {
    let of = |path: &str| PathPattern::of(&CanonicalPath::parse_with_encoded_slash(path.as_bytes()).unwrap());
    for path in ["/*", "/*/*/*", "/**", "/a/**", "/a*b", "/a,", "/a,/b", "/,"] {
        assert_eq!(of(path), None, "{path}");
    }
    for path in ["/", "/a/", "/a,b", "/x=1/it's$(a)&b", "/@a%2Fb"] {
        assert_eq!(of(path).unwrap().as_str(), path);
    }
}

fn path() -> impl Strategy<Value = String> {
    prop::collection::vec("[ab.,*]{1,3}|a%2f[ab]", 0..4)
        .prop_map(|segments| format!("/{}", segments.join("/")))
}

#[test]
fn of_two_patterns_that_mean_a_path_the_narrower_one_is_the_more_specific() {
    let specificity = |pattern: &str| pattern.parse::<PathPattern>().unwrap().specificity();
    // As many letters each.
    for (narrow, wide) in [("/a/*", "/a/**"), ("/ab", "/ab*"), ("/abc", "/ab"), ("/a/b", "/a/*")] {
        assert!(specificity(narrow) > specificity(wide), "{narrow} {wide}");
    }
}

#[test]
fn the_literal_part_of_a_pattern_ends_before_the_segment_with_a_wildcard() {
    for (pattern, literal) in [("/a/b/**", "/a/b"), ("/a/b*", "/a"), ("/a/b", "/a/b"), ("/**", "")] {
        assert_eq!(pattern.parse::<PathPattern>().unwrap().literal_prefix(), literal, "{pattern}");
    }
}

proptest! {
    #[test]
    fn the_pattern_of_a_path_means_it_and_no_other(path in path(), other in path()) {
        let path = CanonicalPath::parse_with_encoded_slash(path.as_bytes());
        if let Ok(path) = path && let Some(pattern) = PathPattern::of(&path) {
            prop_assert!(pattern.matches(&path), "{} {}", pattern, path.as_str());
            if let Ok(other) = CanonicalPath::parse_with_encoded_slash(other.as_bytes()) {
                prop_assert_eq!(pattern.matches(&other), path == other);
            }
            prop_assert_eq!(pattern.to_string().parse::<PathPattern>(), Ok(pattern));
        }
    }

    #[test]
    fn whatever_a_pattern_means_begins_with_its_literal_part(pattern in "(/[ab*]{1,2}){1,4}", path in path()) {
        let pattern = pattern.parse::<PathPattern>();
        let path = CanonicalPath::parse_with_encoded_slash(path.as_bytes());
        if let (Ok(pattern), Ok(path)) = (pattern, path) && pattern.matches(&path) {
            let rest = path.as_str().strip_prefix(pattern.literal_prefix()).unwrap();
            prop_assert!(rest.is_empty() || rest.starts_with('/'));
        }
    }
}
