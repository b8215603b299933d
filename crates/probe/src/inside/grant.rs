//! More than the planted grant permits, of the very origin that it names: other methods, hosts and protocols.
//!
//! What is granted: GET and HEAD below `/open/`, without a query, and so many bytes. Where nothing is granted, these are
//! inapplicable. What the grant does permit is one attempt, which is to be reached.

use crate::attempt::{Attempt, Opening, Radius, Run};
use crate::classes::{Class, class};
use crate::finding::Finding;
use crate::inside::encoding::{Naming, client_hello};
use crate::inside::knock::{ORIGIN, Piece, beyond_grant, heard, mark, pieces};
use crate::plants::{PlantError, Plants};
use crate::witness::Witness;

pub(crate) const ATTEMPTS: &[Attempt] = &[
    beyond(
        "grant-kept",
        "Sends the request that is granted.",
        |plants| say(plants, "grant-kept", &["GET /open/MARK LAST"]),
        |host| heard(host, "grant-kept"),
    )
    .opened_by(Opening::PlantedGrant),
    beyond(
        "grant-method",
        "Posts where only reading is granted.",
        |plants| {
            say(
                plants,
                "grant-method",
                &[
                    "POST /open/MARK HTTP/1.1\r\nHost: NAME:PORT\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                ],
            )
        },
        |host| heard(host, "grant-method"),
    ),
    beyond(
        "grant-method-own",
        "Sends a method that no document has.",
        |plants| say(plants, "grant-method-own", &["GETX /open/MARK LAST"]),
        |host| heard(host, "grant-method-own"),
    ),
    beyond(
        "grant-method-case",
        "Sends a granted method in small letters.",
        |plants| say(plants, "grant-method-case", &["get /open/MARK LAST"]),
        |host| heard(host, "grant-method-case"),
    ),
    beyond(
        "grant-method-header",
        "Names another method in a header.",
        |plants| {
            say(
                plants,
                "grant-method-header",
                &[
                    "GET /open/x HTTP/1.1\r\nHost: NAME:PORT\r\nX-HTTP-Method-Override: MARK\r\nConnection: close\r\n\r\n",
                ],
            )
        },
        |host| heard(host, "grant-method-header"),
    ),
    beyond(
        "grant-url-header",
        "Names another path in a header.",
        |plants| {
            say(
                plants,
                "grant-url-header",
                &[
                    "GET /open/x HTTP/1.1\r\nHost: NAME:PORT\r\nX-Original-URL: /closed/MARK\r\nConnection: close\r\n\r\n",
                ],
            )
        },
        |host| heard(host, "grant-url-header"),
    ),
    beyond(
        "grant-rewrite-header",
        "Names another path in the other header for it.",
        |plants| {
            say(
                plants,
                "grant-rewrite-header",
                &[
                    "GET /open/x HTTP/1.1\r\nHost: NAME:PORT\r\nX-Rewrite-URL: /closed/MARK\r\nConnection: close\r\n\r\n",
                ],
            )
        },
        |host| heard(host, "grant-rewrite-header"),
    ),
    beyond(
        "grant-other-host",
        "Names another host in the request than it goes to.",
        |plants| {
            say(
                plants,
                "grant-other-host",
                &["GET /open/MARK HTTP/1.1\r\nHost: other.invalid:PORT\r\nConnection: close\r\n\r\n"],
            )
        },
        |host| heard(host, "grant-other-host"),
    ),
    beyond(
        "grant-two-hosts",
        "Names two hosts.",
        |plants| {
            say(
                plants,
                "grant-two-hosts",
                &[
                    "GET /open/MARK HTTP/1.1\r\nHost: NAME:PORT\r\nHost: other.invalid\r\nConnection: close\r\n\r\n",
                ],
            )
        },
        |host| heard(host, "grant-two-hosts"),
    ),
    beyond(
        "grant-absolute-other-host",
        "Names another host in the target than in the header.",
        |plants| say(plants, "grant-absolute-other-host", &["GET http://other.invalid:PORT/open/MARK LAST"]),
        |host| heard(host, "grant-absolute-other-host"),
    ),
    beyond(
        "grant-forwarded-host",
        "Names another host in a header that proxies use.",
        |plants| {
            say(
                plants,
                "grant-forwarded-host",
                &[
                    "GET /open/x HTTP/1.1\r\nHost: other.invalid\r\nX-Forwarded-Host: MARK\r\nConnection: close\r\n\r\n",
                ],
            )
        },
        |host| heard(host, "grant-forwarded-host"),
    ),
    beyond(
        "grant-second-path",
        "Asks for a path that is not granted on a connection with a granted request.",
        |plants| say(plants, "grant-second-path", &["GET /open/x MORE", "GET /closed/MARK LAST"]),
        |host| heard(host, "grant-second-path"),
    ),
    beyond(
        "grant-second-host",
        "Names another host on a connection with a granted request.",
        |plants| {
            say(
                plants,
                "grant-second-host",
                &[
                    "GET /open/x MORE",
                    "GET /open/MARK HTTP/1.1\r\nHost: other.invalid\r\nConnection: close\r\n\r\n",
                ],
            )
        },
        |host| heard(host, "grant-second-host"),
    ),
    beyond(
        "grant-second-at-once",
        "Sends a second request in one writing with a granted one.",
        |plants| {
            say(
                plants,
                "grant-second-at-once",
                &[
                    "GET /open/x MOREPUT /open/MARK HTTP/1.1\r\nHost: NAME:PORT\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                ],
            )
        },
        |host| heard(host, "grant-second-at-once"),
    ),
    beyond(
        "grant-fragmented-head",
        "Sends the head of a request that is not granted in pieces.",
        |plants| {
            say(
                plants,
                "grant-fragmented-head",
                &[
                    "GE",
                    "T /op",
                    "en/.",
                    "./closed/MARK HT",
                    "TP/1.1\r\nHo",
                    "st: NAME:PORT\r\nConnection: close\r\n\r\n",
                ],
            )
        },
        |host| heard(host, "grant-fragmented-head"),
    ),
    beyond(
        "grant-redirect-followed",
        "Follows a redirection to what is not granted.",
        |plants| {
            say(
                plants,
                "grant-redirect-followed",
                &[
                    "GET /open/redirect/closed MORE",
                    "GET /closed/MARK HTTP/1.1\r\nHost: NAME:PORT\r\nReferer: http://NAME:PORT/open/\r\nConnection: close\r\n\r\n",
                ],
            )
        },
        |host| heard(host, "grant-redirect-followed"),
    ),
    beyond(
        "grant-upgrade-h2c",
        "Goes over to HTTP/2 in clear text.",
        |plants| {
            say(
                plants,
                "grant-upgrade-h2c",
                &[
                    "GET /open/x HTTP/1.1\r\nHost: NAME:PORT\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: MARK\r\n\r\n",
                ],
            )
        },
        |host| heard(host, "grant-upgrade-h2c"),
    ),
    beyond(
        "grant-prior-h2c",
        "Speaks HTTP/2 in clear text from the start.",
        |plants| say(plants, "grant-prior-h2c", &["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nMARK\r\n"]),
        |host| heard(host, "grant-prior-h2c"),
    ),
    beyond(
        "grant-upgrade-websocket",
        "Goes over to a WebSocket.",
        |plants| {
            say(
                plants,
                "grant-upgrade-websocket",
                &[
                    "GET /open/MARK HTTP/1.1\r\nHost: NAME:PORT\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                ],
            )
        },
        |host| heard(host, "grant-upgrade-websocket"),
    ),
    beyond(
        "grant-connect-through",
        "Asks the origin itself for a tunnel.",
        |plants| say(plants, "grant-connect-through", &["CONNECT NAME:PORT MORE", "GET /closed/MARK LAST"]),
        |host| heard(host, "grant-connect-through"),
    ),
    beyond(
        "grant-other-protocol",
        "Speaks another protocol than HTTP.",
        |plants| say(plants, "grant-other-protocol", &["SSH-2.0-MARK\r\n"]),
        |host| heard(host, "grant-other-protocol"),
    ),
    beyond(
        "grant-old-version",
        "Sends a request of HTTP/0.9, which has no host.",
        |plants| say(plants, "grant-old-version", &["GET /closed/MARK\r\n\r\n"]),
        |host| heard(host, "grant-old-version"),
    ),
    beyond(
        "grant-tls-name",
        "Speaks TLS with another server's name.",
        |plants| {
            greet(plants, "grant-tls-name", |mark| {
                vec![client_hello(Naming::Open(&format!("{mark}.invalid")))]
            })
        },
        |host| heard(host, "grant-tls-name"),
    ),
    beyond(
        "grant-tls-nameless",
        "Speaks TLS without a server's name, and of another protocol.",
        |plants| greet(plants, "grant-tls-nameless", |mark| vec![client_hello(Naming::Absent(mark))]),
        |host| heard(host, "grant-tls-nameless"),
    ),
    beyond(
        "grant-tls-hidden",
        "Speaks TLS with an encrypted greeting.",
        |plants| {
            greet(plants, "grant-tls-hidden", |mark| {
                vec![client_hello(Naming::Encrypted("public.invalid", mark))]
            })
        },
        |host| heard(host, "grant-tls-hidden"),
    ),
    beyond(
        "grant-tls-fragmented",
        "Speaks TLS whose greeting comes in pieces.",
        |plants| {
            greet(plants, "grant-tls-fragmented", |mark| {
                client_hello(Naming::Open(&format!("{mark}.invalid"))).chunks(7).map(<[u8]>::to_vec).collect()
            })
        },
        |host| heard(host, "grant-tls-fragmented"),
    ),
];

pub(crate) const CLASSES: &[Class] = &[
    class("granted-request", 13, &["grant-kept"]),
    class("granted-methods", 11, &["grant-method", "grant-method-own", "grant-method-case"]),
    class("overriding-headers", 11, &["grant-method-header", "grant-url-header", "grant-rewrite-header"]),
    class(
        "granted-hosts",
        11,
        &["grant-other-host", "grant-two-hosts", "grant-absolute-other-host", "grant-forwarded-host"],
    ),
    class("later-requests", 11, &["grant-second-path", "grant-second-host", "grant-second-at-once"]),
    class("fragmented-heads", 11, &["grant-fragmented-head"]),
    class("redirections", 11, &["grant-redirect-followed"]),
    class(
        "upgrades",
        11,
        &["grant-upgrade-h2c", "grant-prior-h2c", "grant-upgrade-websocket", "grant-connect-through"],
    ),
    class("other-protocols", 11, &["grant-other-protocol", "grant-old-version"]),
    class(
        "tls-names",
        11,
        &["grant-tls-name", "grant-tls-nameless", "grant-tls-hidden", "grant-tls-fragmented"],
    ),
];

pub(crate) const fn beyond(id: &'static str, sentence: &'static str, run: Run, witness: Witness) -> Attempt {
    Attempt::forbidden(id, sentence, "attacks 11", run)
        .of(Radius::Exfiltration)
        .needs(ORIGIN)
        .witnessed(witness)
}

pub(crate) fn say(plants: &Plants, id: &str, texts: &[&str]) -> Result<Finding, PlantError> {
    beyond_grant(plants, id, &pieces(plants, id, texts)?)
}

fn greet(plants: &Plants, id: &str, hello: fn(&str) -> Vec<Vec<u8>>) -> Result<Finding, PlantError> {
    let said: Vec<Piece> = hello(&mark(plants, id)?).into_iter().map(Piece::Say).collect();
    beyond_grant(plants, id, &said)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inside::knock::tests::scene;

    #[test]
    fn outside_each_reaches_the_origin_and_is_heard() {
        let mut scene = scene();
        scene.plants.add("origin-host", "origin.invalid").unwrap();
        for attempt in ATTEMPTS {
            assert!(scene.witnessed(attempt).is_some(), "{}", attempt.id);
        }
    }

    #[test]
    fn where_nothing_is_granted_each_is_inapplicable() {
        let scene = scene();
        for attempt in ATTEMPTS {
            assert!(matches!(attempt.find(&scene.plants), Finding::Inapplicable(_)), "{}", attempt.id);
        }
    }
}
