//! What a proxy of the environment may be talked into without any grant: tunnels, other hosts, and spellings of the host's
//! loopback that its checks don't know.
//!
//! The same bytes are said to the origin itself, as a program does that ignores proxies. What is asked for is granted nowhere.

use crate::attempt::{Attempt, Radius, Run};
use crate::classes::{Class, class};
use crate::finding::Finding;
use crate::inside::knock::{ORIGIN, Piece, by_proxy, by_socks, heard, pieces, socks_loopback, socks_name};
use crate::plants::{PlantError, Plants};

pub(crate) const ATTEMPTS: &[Attempt] = &[
    proxied(
        "proxy-connect-address",
        "Has the proxy open a tunnel to the host's loopback.",
        "attacks 11",
        |plants| tunnel(plants, "127.0.0.1"),
    ),
    proxied("proxy-connect-name", "Has it open one to localhost.", "attacks 11", |plants| {
        tunnel(plants, "localhost")
    }),
    proxied("proxy-connect-v6", "Has it open one to the IPv6 loopback.", "attacks 11", |plants| {
        tunnel(plants, "[::ffff:127.0.0.1]")
    }),
    proxied(
        "proxy-connect-relayed",
        "Has it open one to itself, and by that one to the loopback.",
        "attacks 11",
        relayed,
    ),
    proxied(
        "proxy-connect-plain",
        "Speaks another protocol than TLS through a tunnel.",
        "attacks 11",
        |plants| {
            let said =
                ["CONNECT 127.0.0.1:PORT HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n", "SSH-2.0-MARK\r\n"];
            waiting(plants, &said)
        },
    ),
    proxied(
        "proxy-absolute-address",
        "Asks the proxy for a page at the host's loopback.",
        "attacks 11",
        |plants| page(plants, "127.0.0.1:PORT"),
    ),
    proxied("proxy-absolute-name", "Asks it for a page at localhost.", "attacks 11", |plants| {
        page(plants, "localhost:PORT")
    }),
    proxied(
        "proxy-absolute-other-host",
        "Asks it for a page at the loopback, and names a public host.",
        "attacks 11",
        |plants| {
            let said = [
                "GET http://127.0.0.1:PORT/closed/MARK HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n",
            ];
            by_proxy(plants, &pieces(plants, &said)?)
        },
    ),
    proxied("proxy-absolute-post", "Posts to the loopback by the proxy.", "attacks 11", |plants| {
        let said = [
            "POST http://127.0.0.1:PORT/closed/MARK HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        ];
        by_proxy(plants, &pieces(plants, &said)?)
    }),
    proxied("socks-address", "Has a SOCKS proxy connect to the host's loopback.", "attacks 13", |plants| {
        socks(plants, &socks_loopback())
    }),
    proxied("socks-name", "Has it connect to localhost.", "attacks 13", |plants| {
        socks(plants, &socks_name("localhost"))
    }),
    proxied("socks-name-nul", "Has it connect to a name with a zero byte.", "attacks 10", |plants| {
        socks(plants, &socks_name("127.0.0.1\0.example.com"))
    }),
    proxied("socks-name-number", "Has it connect to a name that is a number.", "attacks 10", |plants| {
        socks(plants, &socks_name("2130706433"))
    }),
    proxied("spelling-decimal", "Names the loopback by one decimal number.", "attacks 10", |plants| {
        page(plants, "2130706433:PORT")
    }),
    proxied("spelling-hexadecimal", "Names it by a hexadecimal number.", "attacks 10", |plants| {
        page(plants, "0x7f000001:PORT")
    }),
    proxied("spelling-octal", "Names it by octal numbers.", "attacks 10", |plants| {
        page(plants, "0177.0.0.1:PORT")
    }),
    proxied("spelling-short", "Names it by two numbers of four.", "attacks 10", |plants| {
        page(plants, "127.1:PORT")
    }),
    proxied("spelling-mapped", "Names it as an IPv4 address in an IPv6 one.", "attacks 10", |plants| {
        page(plants, "[::ffff:7f00:1]:PORT")
    }),
    proxied("spelling-zero", "Names it as zero.", "attacks 10", |plants| page(plants, "0:PORT")),
    proxied("spelling-full-width", "Names it by digits of another alphabet.", "attacks 10", |plants| {
        page(plants, "１２７.0.0.1:PORT")
    }),
    proxied("confusion-user", "Writes a public host before it, as a user.", "attacks 10", |plants| {
        page(plants, "NAME:80@127.0.0.1:PORT")
    }),
    proxied(
        "confusion-encoded-nul",
        "Writes a public host behind an encoded zero byte.",
        "attacks 10",
        |plants| page(plants, "127.0.0.1%00.NAME:PORT"),
    ),
    proxied(
        "confusion-fragment",
        "Writes it before a fragment with a public host.",
        "attacks 10",
        |plants| page(plants, "127.0.0.1:PORT#@NAME"),
    ),
    proxied(
        "confusion-backslash",
        "Writes it before a backslash and a public host.",
        "attacks 10",
        |plants| page(plants, "127.0.0.1:PORT\\@NAME"),
    ),
    proxied("confusion-zone", "Writes a zone behind it.", "attacks 10", |plants| {
        page(plants, "[::1%25lo]:PORT")
    }),
    proxied("confusion-dot", "Writes a dot behind its name.", "attacks 10", |plants| {
        page(plants, "LOCALHOST.:PORT")
    }),
    proxied("confusion-subdomain", "Names a host below localhost.", "attacks 10", |plants| {
        page(plants, "NAME.localhost:PORT")
    }),
];

pub(crate) const CLASSES: &[Class] = &[
    class(
        "proxy-tunnels",
        11,
        &[
            "proxy-connect-address",
            "proxy-connect-name",
            "proxy-connect-v6",
            "proxy-connect-relayed",
            "proxy-connect-plain",
        ],
    ),
    class(
        "proxy-pages",
        11,
        &[
            "proxy-absolute-address",
            "proxy-absolute-name",
            "proxy-absolute-other-host",
            "proxy-absolute-post",
        ],
    ),
    class("socks", 13, &["socks-address", "socks-name", "socks-name-nul", "socks-name-number"]),
    class(
        "address-spellings",
        10,
        &[
            "spelling-decimal",
            "spelling-hexadecimal",
            "spelling-octal",
            "spelling-short",
            "spelling-mapped",
            "spelling-zero",
            "spelling-full-width",
        ],
    ),
    class(
        "host-confusion",
        10,
        &[
            "confusion-user",
            "confusion-encoded-nul",
            "confusion-fragment",
            "confusion-backslash",
            "confusion-zone",
            "confusion-dot",
            "confusion-subdomain",
        ],
    ),
];

const fn proxied(id: &'static str, sentence: &'static str, source: &'static str, run: Run) -> Attempt {
    Attempt::forbidden(id, sentence, source, run).of(Radius::Exfiltration).needs(ORIGIN).witnessed(heard)
}

/// A request for a page that nothing grants, in the form that proxies are asked in.
fn page(plants: &Plants, place: &str) -> Result<Finding, PlantError> {
    let request =
        format!("GET http://{place}/closed/MARK HTTP/1.1\r\nHost: {place}\r\nConnection: close\r\n\r\n");
    by_proxy(plants, &pieces(plants, &[&request])?)
}

/// A tunnel, and a request in it.
fn tunnel(plants: &Plants, host: &str) -> Result<Finding, PlantError> {
    let connect = format!("CONNECT {host}:PORT HTTP/1.1\r\nHost: {host}:PORT\r\n\r\n");
    let request = format!("GET /closed/MARK HTTP/1.1\r\nHost: {host}:PORT\r\nConnection: close\r\n\r\n");
    waiting(plants, &[&connect, &request])
}

/// The second tunnel is asked for in the first, which leads to the proxy itself.
fn relayed(plants: &Plants) -> Result<Finding, PlantError> {
    let itself =
        crate::inside::ways::proxy().map_or_else(|| "127.0.0.1:PORT".to_owned(), |way| way.to.to_string());
    let first = format!("CONNECT {itself} HTTP/1.1\r\nHost: {itself}\r\n\r\n");
    let second = "CONNECT 127.0.0.1:PORT HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n";
    let request = "GET /closed/MARK HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nConnection: close\r\n\r\n";
    waiting(plants, &[&first, second, request])
}

/// Each text waits for an answer to the one before it.
fn waiting(plants: &Plants, texts: &[&str]) -> Result<Finding, PlantError> {
    let said = pieces(plants, texts)?;
    by_proxy(plants, &said.into_iter().flat_map(|piece| [piece, Piece::Wait]).collect::<Vec<_>>())
}

fn socks(plants: &Plants, target: &[u8]) -> Result<Finding, PlantError> {
    let request = "GET /closed/MARK HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nConnection: close\r\n\r\n";
    by_socks(plants, target, &pieces(plants, &[request])?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inside::knock::tests::scene;

    #[test]
    fn outside_each_reaches_the_origin_and_is_heard() {
        let scene = scene();
        for attempt in ATTEMPTS {
            assert!(scene.witnessed(attempt).is_some(), "{}", attempt.id);
        }
    }

    #[test]
    fn what_the_origin_did_not_get_is_not_reached() {
        let mut scene = scene();
        // Nobody listens at port 1 of the loopback.
        scene.plants.add("origin-port", "1").unwrap();
        let attempt = ATTEMPTS.first().unwrap();
        assert!(matches!(attempt.find(&scene.plants), Finding::Refused(..) | Finding::Held(_)));
    }
}
