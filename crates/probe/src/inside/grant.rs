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

pub(crate) const ATTEMPTS: &[Attempt] = &[
    beyond("grant-kept", "Sends the request that is granted.", |plants| {
        say(plants, &["GET /open/MARK LAST"])
    })
    .opened_by(Opening::PlantedGrant),
    beyond("grant-method", "Posts where only reading is granted.", |plants| {
        say(
            plants,
            &[
                "POST /open/MARK HTTP/1.1\r\nHost: NAME:PORT\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            ],
        )
    }),
    beyond("grant-method-own", "Sends a method that no document has.", |plants| {
        say(plants, &["GETX /open/MARK LAST"])
    }),
    beyond("grant-method-case", "Sends a granted method in small letters.", |plants| {
        say(plants, &["get /open/MARK LAST"])
    }),
    beyond("grant-method-header", "Names another method in a header.", |plants| {
        say(
            plants,
            &[
                "GET /open/x HTTP/1.1\r\nHost: NAME:PORT\r\nX-HTTP-Method-Override: MARK\r\nConnection: close\r\n\r\n",
            ],
        )
    }),
    beyond("grant-url-header", "Names another path in a header.", |plants| {
        say(
            plants,
            &[
                "GET /open/x HTTP/1.1\r\nHost: NAME:PORT\r\nX-Original-URL: /closed/MARK\r\nConnection: close\r\n\r\n",
            ],
        )
    }),
    beyond("grant-rewrite-header", "Names another path in the other header for it.", |plants| {
        say(
            plants,
            &[
                "GET /open/x HTTP/1.1\r\nHost: NAME:PORT\r\nX-Rewrite-URL: /closed/MARK\r\nConnection: close\r\n\r\n",
            ],
        )
    }),
    beyond("grant-other-host", "Names another host in the request than it goes to.", |plants| {
        say(plants, &["GET /open/MARK HTTP/1.1\r\nHost: other.invalid:PORT\r\nConnection: close\r\n\r\n"])
    }),
    beyond("grant-two-hosts", "Names two hosts.", |plants| {
        say(
            plants,
            &[
                "GET /open/MARK HTTP/1.1\r\nHost: NAME:PORT\r\nHost: other.invalid\r\nConnection: close\r\n\r\n",
            ],
        )
    }),
    beyond("grant-absolute-other-host", "Names another host in the target than in the header.", |plants| {
        say(plants, &["GET http://other.invalid:PORT/open/MARK LAST"])
    }),
    beyond("grant-forwarded-host", "Names another host in a header that proxies use.", |plants| {
        say(
            plants,
            &[
                "GET /open/x HTTP/1.1\r\nHost: other.invalid\r\nX-Forwarded-Host: MARK\r\nConnection: close\r\n\r\n",
            ],
        )
    }),
    beyond(
        "grant-second-path",
        "Asks for a path that is not granted on a connection with a granted request.",
        |plants| say(plants, &["GET /open/x MORE", "GET /closed/MARK LAST"]),
    ),
    beyond("grant-second-host", "Names another host on a connection with a granted request.", |plants| {
        say(
            plants,
            &[
                "GET /open/x MORE",
                "GET /open/MARK HTTP/1.1\r\nHost: other.invalid\r\nConnection: close\r\n\r\n",
            ],
        )
    }),
    beyond("grant-second-at-once", "Sends a second request in one writing with a granted one.", |plants| {
        say(
            plants,
            &[
                "GET /open/x MOREPUT /open/MARK HTTP/1.1\r\nHost: NAME:PORT\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            ],
        )
    }),
    beyond("grant-fragmented-head", "Sends the head of a request that is not granted in pieces.", |plants| {
        say(
            plants,
            &[
                "GE",
                "T /op",
                "en/.",
                "./closed/MARK HT",
                "TP/1.1\r\nHo",
                "st: NAME:PORT\r\nConnection: close\r\n\r\n",
            ],
        )
    }),
    beyond("grant-redirect-followed", "Follows a redirection to what is not granted.", |plants| {
        say(
            plants,
            &[
                "GET /open/redirect/closed MORE",
                "GET /closed/MARK HTTP/1.1\r\nHost: NAME:PORT\r\nReferer: http://NAME:PORT/open/\r\nConnection: close\r\n\r\n",
            ],
        )
    }),
    beyond("grant-upgrade-h2c", "Goes over to HTTP/2 in clear text.", |plants| {
        say(
            plants,
            &[
                "GET /open/x HTTP/1.1\r\nHost: NAME:PORT\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: MARK\r\n\r\n",
            ],
        )
    }),
    beyond("grant-prior-h2c", "Speaks HTTP/2 in clear text from the start.", |plants| {
        say(plants, &["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nMARK\r\n"])
    }),
    beyond("grant-upgrade-websocket", "Goes over to a WebSocket.", |plants| {
        say(
            plants,
            &[
                "GET /open/MARK HTTP/1.1\r\nHost: NAME:PORT\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            ],
        )
    }),
    beyond("grant-connect-through", "Asks the origin itself for a tunnel.", |plants| {
        say(plants, &["CONNECT NAME:PORT MORE", "GET /closed/MARK LAST"])
    }),
    beyond("grant-other-protocol", "Speaks another protocol than HTTP.", |plants| {
        say(plants, &["SSH-2.0-MARK\r\n"])
    }),
    beyond("grant-old-version", "Sends a request of HTTP/0.9, which has no host.", |plants| {
        say(plants, &["GET /closed/MARK\r\n\r\n"])
    }),
    beyond("grant-tls-name", "Speaks TLS with another server's name.", |plants| {
        greet(plants, |mark| vec![client_hello(Naming::Open(&format!("{mark}.invalid")))])
    }),
    beyond("grant-tls-nameless", "Speaks TLS without a server's name, and of another protocol.", |plants| {
        greet(plants, |mark| vec![client_hello(Naming::Absent(mark))])
    }),
    beyond("grant-tls-hidden", "Speaks TLS with an encrypted greeting.", |plants| {
        greet(plants, |mark| vec![client_hello(Naming::Encrypted("public.invalid", mark))])
    }),
    beyond("grant-tls-fragmented", "Speaks TLS whose greeting comes in pieces.", |plants| {
        greet(plants, |mark| {
            client_hello(Naming::Open(&format!("{mark}.invalid"))).chunks(7).map(<[u8]>::to_vec).collect()
        })
    }),
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

pub(crate) const fn beyond(id: &'static str, sentence: &'static str, run: Run) -> Attempt {
    Attempt::forbidden(id, sentence, "attacks 11", run)
        .of(Radius::Exfiltration)
        .needs(ORIGIN)
        .witnessed(heard)
}

pub(crate) fn say(plants: &Plants, texts: &[&str]) -> Result<Finding, PlantError> {
    beyond_grant(plants, &pieces(plants, texts)?)
}

fn greet(plants: &Plants, hello: fn(&str) -> Vec<Vec<u8>>) -> Result<Finding, PlantError> {
    let said: Vec<Piece> = hello(&mark(plants)?).into_iter().map(Piece::Say).collect();
    beyond_grant(plants, &said)
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
