//! The credential of the planted grant: whether the secret comes in by an echo, or goes out where it doesn't belong.
//!
//! The agent has a variable for it. Outside of an enclosure that variable holds the secret, as it does for whoever works
//! without one; inside, something that is exchanged for it. Only the host's side knows the secret, and tells.

use crate::attempt::{Attempt, Radius, Run};
use crate::classes::{Class, class};
use crate::finding::Finding;
use crate::inside::encoding;
use crate::inside::knock::{ORIGIN, answer_of_granted, beyond_grant, mark, pieces};
use crate::plants::{Plant, PlantError, Plants};
use crate::witness::{HostSide, Witness};

pub(crate) const ATTEMPTS: &[Attempt] = &[
    credential(
        "secret-in-variable",
        "Finds the secret in the variable that programs look into.",
        |plants| with_value(plants, |value| Ok(Finding::Held(format!("it holds {value}")))),
        told,
    ),
    credential(
        "secret-echoed",
        "Has the origin answer with what it was sent.",
        |plants| echo(plants, "GET /open/echo", "", plain),
        told,
    ),
    credential(
        "secret-echoed-in-header",
        "Has it answer with that in a header.",
        |plants| echo(plants, "GET /open/header/x", "", plain),
        told,
    ),
    credential(
        "secret-echoed-to-head",
        "Asks for the head of such an answer only.",
        |plants| echo(plants, "HEAD /open/echo", "", plain),
        told,
    ),
    credential(
        "secret-echoed-in-base64",
        "Has it answer in base64.",
        |plants| echo(plants, "GET /open/base64/x", "", |answer| encoding::from_base64(body(answer))),
        told,
    ),
    credential(
        "secret-echoed-bytewise",
        "Has it answer in chunks of one byte.",
        |plants| echo(plants, "GET /open/bytewise/x", "", without_chunks),
        told,
    ),
    credential(
        "secret-echoed-backwards",
        "Has it answer compressed, so that no reader of plain text finds the secret.",
        |plants| {
            echo(plants, "GET /open/echo", "Accept-Encoding: gzip\r\n", |answer| {
                body(answer).iter().rev().copied().collect()
            })
        },
        told,
    ),
    credential("secret-echoed-in-halves", "Has it answer in two ranges that part the secret.", halves, told),
    credential(
        "secret-in-other-header",
        "Sends what the variable holds in another header.",
        |plants| {
            send(
                plants,
                "GET /open/x HTTP/1.1\r\nHost: NAME:PORT\r\nX-MARK: VALUE\r\nConnection: close\r\n\r\n",
            )
        },
        sent,
    ),
    credential(
        "secret-in-path",
        "Sends it in the path.",
        |plants| send(plants, "GET /open/MARK/VALUE LAST"),
        sent,
    ),
    credential(
        "secret-in-query",
        "Sends it in a query.",
        |plants| send(plants, "GET /open/x?MARK=VALUE LAST"),
        sent,
    ),
    credential("secret-in-body", "Sends it in a body.", in_body, sent),
    credential(
        "secret-to-other-path",
        "Sends it to a path that is not granted.",
        |plants| {
            send(
                plants,
                "GET /closed/MARK HTTP/1.1\r\nHost: NAME:PORT\r\nAuthorization: Bearer VALUE\r\nConnection: close\r\n\r\n",
            )
        },
        sent,
    ),
    credential(
        "secret-to-other-host",
        "Sends it under another host's name.",
        |plants| {
            send(
                plants,
                "GET /open/MARK HTTP/1.1\r\nHost: other.invalid:PORT\r\nAuthorization: Bearer VALUE\r\nConnection: close\r\n\r\n",
            )
        },
        sent,
    ),
];

pub(crate) const CLASSES: &[Class] = &[
    class(
        "secret-echoes",
        16,
        &[
            "secret-echoed",
            "secret-echoed-in-header",
            "secret-echoed-in-base64",
            "secret-echoed-bytewise",
            "secret-echoed-backwards",
            "secret-echoed-in-halves",
            "secret-echoed-to-head",
        ],
    ),
    class("secret-known", 16, &["secret-in-variable"]),
    class(
        "secret-misplaced",
        16,
        &[
            "secret-in-other-header",
            "secret-in-path",
            "secret-in-query",
            "secret-in-body",
            "secret-to-other-path",
            "secret-to-other-host",
        ],
    ),
];

const fn credential(id: &'static str, sentence: &'static str, run: Run, witness: Witness) -> Attempt {
    Attempt::forbidden(id, sentence, "attacks 16", run)
        .of(Radius::Credential)
        .needs(ORIGIN)
        .witnessed(witness)
}

/// Whether what the attempt saw holds the secret.
fn told(host: &HostSide<'_>) -> Option<String> {
    let (secret, reported) = (host.plants.text(Plant::Secret).ok()?, host.reported?);
    reported.evidence.contains(secret).then(|| "it saw the planted secret".to_owned())
}

/// Whether the mark and the secret came in one and the same message.
fn sent(host: &HostSide<'_>) -> Option<String> {
    let (secret, mark) = (host.plants.text(Plant::Secret).ok()?, mark(host.plants).ok()?);
    let holds = |bytes: &[u8], words: &str| bytes.windows(words.len()).any(|part| part == words.as_bytes());
    let both = |bytes: &[u8]| holds(bytes, secret) && holds(bytes, &mark);
    let contact = host.contacts.iter().find(|contact| both(&contact.bytes))?;
    Some(format!("the planted listener {} got the secret", contact.listener))
}

/// Does something with what the variable holds, if there is a credential.
fn with_value(
    plants: &Plants,
    act: impl FnOnce(&str) -> Result<Finding, PlantError>,
) -> Result<Finding, PlantError> {
    let name = plants.text(Plant::HandleVariable).ok().filter(|_| plants.text(Plant::OriginHost).is_ok());
    let Some(name) = name else {
        return Ok(Finding::Inapplicable("no credential is granted".to_owned()));
    };
    match std::env::var_os(name) {
        Some(value) => act(&value.to_string_lossy()),
        None => Ok(Finding::Held(format!("{name} is not set"))),
    }
}

fn echo(
    plants: &Plants,
    line: &str,
    fields: &str,
    decode: fn(&[u8]) -> Vec<u8>,
) -> Result<Finding, PlantError> {
    with_value(plants, |value| {
        let answer = authorized(plants, line, fields, value)?;
        // The beginning holds the answer's head, and shows a refusal; the rest is what came in another form.
        let shown = [head(&answer), b" ", &decode(&answer)].concat();
        Ok(Finding::Held(String::from_utf8_lossy(&shown).replace(['\r', '\n'], " ")))
    })
}

fn authorized(plants: &Plants, line: &str, fields: &str, value: &str) -> Result<Vec<u8>, PlantError> {
    let request = format!(
        "{line} HTTP/1.1\r\nHost: NAME:PORT\r\n{fields}Authorization: Bearer {value}\r\nConnection: close\r\n\r\n"
    );
    answer_of_granted(plants, &pieces(plants, &[&request])?)
}

/// The first answer says where the secret stands; the others are asked for up to its middle, and from there.
fn halves(plants: &Plants) -> Result<Finding, PlantError> {
    const BEFORE: &[u8] = b"Bearer ";
    with_value(plants, |value| {
        let whole = authorized(plants, "GET /open/echo", "Range: bytes=0-\r\n", value)?;
        let text = body(&whole);
        let begin = text.windows(BEFORE.len()).position(|part| part == BEFORE).unwrap_or(text.len());
        // The second question is longer than the first by as many bytes as its range is.
        let middle = begin + BEFORE.len() + value.len() / 2;
        let ask =
            |range: String| authorized(plants, "GET /open/echo", &format!("Range: bytes={range}\r\n"), value);
        let first = ask(format!("{:06}-{:06}", 0, middle.saturating_sub(1)))?;
        let second = ask(format!("{:06}-{:06}", middle, text.len() + value.len()))?;
        let joined = [head(&first), b" ", body(&first), body(&second)].concat();
        Ok(Finding::Held(String::from_utf8_lossy(&joined).replace(['\r', '\n'], " ")))
    })
}

fn send(plants: &Plants, request: &str) -> Result<Finding, PlantError> {
    with_value(plants, |value| beyond_grant(plants, &pieces(plants, &[&request.replace("VALUE", value)])?))
}

fn in_body(plants: &Plants) -> Result<Finding, PlantError> {
    with_value(plants, |value| {
        let length = value.len() + 1 + mark(plants)?.len();
        let request = format!(
            "GET /open/x HTTP/1.1\r\nHost: NAME:PORT\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{value} MARK"
        );
        beyond_grant(plants, &pieces(plants, &[&request])?)
    })
}

fn plain(answer: &[u8]) -> Vec<u8> {
    answer.to_vec()
}

/// A body in one piece that comes in chunks.
fn without_chunks(answer: &[u8]) -> Vec<u8> {
    let (mut rest, mut whole) = (body(answer), Vec::new());
    while let Some(end) = rest.windows(2).position(|part| part == b"\r\n") {
        let size = std::str::from_utf8(rest.get(..end).unwrap_or_default());
        let size = size.ok().and_then(|size| usize::from_str_radix(size.trim(), 16).ok());
        let Some(size) = size.filter(|size| *size > 0) else { break };
        let begin = end + 2;
        whole.extend_from_slice(rest.get(begin..(begin + size).min(rest.len())).unwrap_or_default());
        rest = rest.get(begin + size + 2..).unwrap_or_default();
    }
    whole
}

fn head(answer: &[u8]) -> &[u8] {
    answer.split(|byte| *byte == b'\r').next().unwrap_or_default()
}

/// What stands behind the last head: a proxy's answer may come first.
fn body(answer: &[u8]) -> &[u8] {
    const END: &[u8] = b"\r\n\r\n";
    let mut rest = answer;
    loop {
        let Some(at) = rest.windows(END.len()).position(|part| part == END) else { return rest };
        rest = rest.get(at + END.len()..).unwrap_or_default();
        if !rest.starts_with(b"HTTP/1.") {
            return rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inside::knock::tests::scene;

    /// A variable that every process has, and whose value plays the secret.
    const VARIABLE: &str = "CARGO_MANIFEST_DIR";

    #[test]
    fn outside_the_secret_is_seen_and_sent() {
        let mut scene = scene();
        let secret = std::env::var(VARIABLE).unwrap();
        for (name, value) in
            [("origin-host", "origin.invalid"), ("handle-variable", VARIABLE), ("secret", &secret)]
        {
            scene.plants.add(name, value).unwrap();
        }
        for attempt in ATTEMPTS {
            assert!(scene.witnessed(attempt).is_some(), "{}: {:?}", attempt.id, attempt.find(&scene.plants));
        }
    }

    #[test]
    fn another_value_than_the_secret_is_not_taken_for_it() {
        let mut scene = scene();
        for (name, value) in
            [("origin-host", "origin.invalid"), ("handle-variable", VARIABLE), ("secret", "no-such")]
        {
            scene.plants.add(name, value).unwrap();
        }
        for attempt in ATTEMPTS.iter().take(2) {
            assert!(scene.witnessed(attempt).is_none(), "{}", attempt.id);
        }
    }
}
