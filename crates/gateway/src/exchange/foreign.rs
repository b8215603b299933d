//! What a request says beside its place for a secret: by which names it could authenticate otherwise, or have the origin
//! take it for another request. Names are compared as loosely as any server does.
//!
//! Nothing is edited here.

/// Words in names of headers by which clients authenticate, or say who has: on a grant with a credential the agent's own
/// are removed, so that the owner's secret never rides along with somebody else's account, nor somebody else's key in place
/// of it. A word may end with one of them (`oauth`, `accesstoken`).
const AUTHENTICATING_WORDS: [&str; 14] = [
    "apikey",
    "assertion",
    "auth",
    "authentication",
    "authorization",
    "bearer",
    "cookie",
    "cookie2",
    "credential",
    "jwt",
    "password",
    "principal",
    "secret",
    "token",
];
/// The last words of names by which a server in front says who has authenticated.
const WHO: [&str; 4] = ["email", "groups", "user", "username"];
/// Names without any of them.
const AUTHENTICATING: [&str; 6] = [
    "cf-access-client-id",
    "dd-application-key",
    "npm-otp",
    "ocp-apim-subscription-key",
    "x-functions-key",
    "x-jfrog-art-api",
];
/// One that has such a word, and says that a request is none of a browser's.
const INNOCENT: &str = "x-atlassian-token";

/// Words in names of headers by which a server may believe that it was asked under another name, and send what it was
/// given there: `X-Forwarded-Server`, `X-HTTP-Host-Override`, `X-Original-Host`.
const MISLEADING_WORDS: [&str; 3] = ["forwarded", "host", "hostname"];
/// The same of the path.
const MISLEADING: [&str; 5] =
    ["x-original-path", "x-original-uri", "x-original-url", "x-override-url", "x-rewrite-url"];
/// Variables that programs of a server's take from it in this spelling: its own name, and a proxy of the agent's.
const VARIABLES: [&str; 2] = ["proxy", "server-name"];
/// Of the method; a request may say so in its head, where that is judged.
const OVERRIDING: [&str; 4] =
    ["x-http-method", "x-http-method-override", "x-method-override", "x-original-method"];
/// The name by which the request is judged itself.
const HOST: &str = "host";

/// Words by which the names of subprotocols say that a key follows.
const KEY_WORDS: [&str; 8] = ["auth", "authorization", "bearer", "jwt", "key", "apikey", "secret", "token"];
/// Names of subprotocols are words (`graphql-transport-ws`, `v4.channel.k8s.io`); keys are long, or letters and digits.
const WORD_BYTES_MAX: usize = 16;
const MIXED_WORD_BYTES_MAX: usize = 6;

/// A name as servers know it that tell letters and digits only apart: those that make variables of names.
pub(crate) fn folded(name: &str) -> String {
    name.bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { byte.to_ascii_lowercase() } else { b'-' })
        .map(char::from)
        .collect()
}

/// Whether a header authenticates, or has the origin take another name or path than was judged.
pub(super) fn is_foreign(name: &str) -> bool {
    let name = folded(name);
    let is_one_of = |known: &[&str]| known.contains(&name.as_str());
    let words = || name.split('-');
    let is_misleading = || {
        let is_one = |word: &str| MISLEADING_WORDS.contains(&word) || word.contains("forwarded");
        name != HOST && words().any(is_one)
    };
    authenticates(&name) || is_one_of(&MISLEADING) || is_one_of(&VARIABLES) || is_misleading()
}

fn authenticates(name: &str) -> bool {
    let tells = |word: &str| AUTHENTICATING_WORDS.iter().any(|known| word.ends_with(known));
    let words = || name.split('-');
    let is_api_key = words().zip(words().skip(1)).any(|pair| pair == ("api", "key"));
    let says_who = words().next_back().is_some_and(|last| WHO.contains(&last));
    let is_one = is_api_key || says_who || AUTHENTICATING.contains(&name) || words().any(tells);
    is_one && name != INNOCENT
}

/// Whether a header asks for a part of an answer, by whatever name: `Range`, `X-MS-Range`. What says which part is sent,
/// or copied, is another.
pub(super) fn asks_for_a_part(name: &str) -> bool {
    let name = folded(name);
    let mut words = name.rsplit('-');
    words.next() == Some("range")
        && !words.next().is_some_and(|before| ["content", "source"].contains(&before))
}

/// Whether a parameter of a query authenticates as headers do. Not `key` and `token`, which mean other things as often.
pub(super) fn is_foreign_parameter(key: &[u8]) -> bool {
    const NAMES: [&[u8]; 8] = [
        b"accesstoken",
        b"apikey",
        b"clientsecret",
        b"jobtoken",
        b"oauthtoken",
        b"privatetoken",
        b"xamzsecuritytoken",
        b"xapikey",
    ];
    let letters = || key.iter().filter(|byte| byte.is_ascii_alphanumeric()).map(u8::to_ascii_lowercase);
    NAMES.iter().any(|known| letters().eq(known.iter().copied()))
}

/// Whether a field may come after the body: none that authenticates, routes or frames.
pub(super) fn may_trail(name: &str) -> bool {
    let name = folded(name);
    let is_of_the_head = crate::protocol::head::belongs_into_a_head(name.as_bytes());
    !is_of_the_head && !is_foreign(&name) && !OVERRIDING.contains(&name.as_str())
}

/// The subprotocols of an offer (RFC 6455, 11.3.4) that are names, and no keys. The word behind one that announces a key
/// is one.
pub(super) fn subprotocols(offer: &str) -> String {
    let mut is_announced = false;
    let is_name = |name: &&str| {
        let words = || name.split(|c: char| !c.is_ascii_alphanumeric());
        let says_key = words().any(|word| KEY_WORDS.iter().any(|own| word.eq_ignore_ascii_case(own)))
            || name.to_ascii_lowercase().contains("token");
        let is_plain = words().all(is_word);
        let is_name = is_plain && !says_key && !is_announced;
        is_announced = is_plain && says_key;
        is_name
    };
    offer.split(',').map(str::trim).filter(is_name).collect::<Vec<_>>().join(", ")
}

fn is_word(word: &str) -> bool {
    let is_mixed =
        word.bytes().any(|byte| byte.is_ascii_digit()) && !word.bytes().all(|byte| byte.is_ascii_digit());
    word.len() <= if is_mixed { MIXED_WORD_BYTES_MAX } else { WORD_BYTES_MAX }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_among_subprotocols_are_taken_out_and_names_stay() {
        for (offer, kept) in [
            ("graphql-ws", "graphql-ws"),
            ("graphql-transport-ws, graphql-ws", "graphql-transport-ws, graphql-ws"),
            (
                "v5.channel.k8s.io,v12.stomp, mqtt, wamp.2.json, ocpp1.6",
                "v5.channel.k8s.io, v12.stomp, mqtt, wamp.2.json, ocpp1.6",
            ),
            (
                "realtime, openai-insecure-api-key.sk-proj-0123abcd, openai-beta.realtime-v1",
                "realtime, openai-beta.realtime-v1",
            ),
            (
                "base64url.bearer.authorization.k8s.io.ZXlKaGJHY2lPaUpT, v4.channel.k8s.io",
                "v4.channel.k8s.io",
            ),
            ("access_token, attacker, mqtt", "mqtt"),
            ("bearer, attacker", ""),
            ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", ""),
        ] {
            assert_eq!(subprotocols(offer), kept);
        }
    }

    #[test]
    fn names_are_known_however_a_server_may_read_them() {
        for name in
            ["X-Api_Key", "x.api.key", "X-HOST", "x_forwarded_server", "X-HTTP-Host-Override", "Forwarded"]
        {
            assert!(is_foreign(name) && !may_trail(name), "{name}");
        }
        for name in [
            "Remote-User",
            "X-Remote-User",
            "X-WebAuth-User",
            "X-Auth-Request-User",
            "X-MS-Client-Principal",
            "X-JFrog-Art-Api",
            "X-Consul-Token",
            "X-Redmine-API-Key",
            "X-N8N-API-KEY",
            "X-JWT-Assertion",
            "X-Token",
            "Access-Token",
            "AccessToken",
            "Proxy",
            "Server-Name",
            "X-Forwardedhost",
            "Set_Cookie",
            "Cookie2",
            "Authorization",
        ] {
            assert!(is_foreign(name), "{name}");
        }
        for name in [
            "Host",
            "Accept",
            "X-Ghost",
            "Content-Type",
            "X-Request-Id",
            "User-Agent",
            "Idempotency-Key",
            "Sec-WebSocket-Key",
            "X-GitHub-Api-Version",
            "Mcp-Session-Id",
            "X-Atlassian-Token",
            "X-Goog-User-Project",
            "Content-Range",
        ] {
            assert!(!is_foreign(name), "{name}");
        }
        for name in ["Range", "x-ms-range", "Request_Range", "If-Range"] {
            assert!(asks_for_a_part(name), "{name}");
        }
        assert!(!asks_for_a_part("Content-Range") && !asks_for_a_part("Accept"));
        for key in
            ["access_token", "access-token", "accessToken", "X-Api-Key", "api-key", "apikey", "client_secret"]
        {
            assert!(is_foreign_parameter(key.as_bytes()), "{key}");
        }
        for key in ["key", "token", "page_token", "api", "access"] {
            assert!(!is_foreign_parameter(key.as_bytes()), "{key}");
        }
        for name in ["content_length", "X.HTTP.Method.Override", "Transfer-Encoding", "Cookie"] {
            assert!(!may_trail(name), "{name}");
        }
        assert!(may_trail("x-checksum") && may_trail("grpc-status"));
    }
}
