//! Grants, and what is refused beside them.

use super::scene::{NAME, Scene, WORD};

#[test]
fn what_is_granted_is_reached_and_what_is_not_is_refused_with_the_grant_that_would_allow_it() {
    let scene = Scene::new();
    let (granted, refused) = (scene.url("/v1/items"), scene.url("/admin"));
    let script = format!("curl -sS {granted}; echo; curl -sS {refused}; curl -sS -X POST -d x {granted}");
    let run = scene.session("one", &["--allow", &scene.grant("GET", "/v1/**")], &script);
    run.assert_success();
    assert!(run.stdout().contains(WORD), "{}", run.stdout());
    let refusal: serde_json::Value =
        serde_json::from_str(run.stdout().lines().nth(1).unwrap().split_inclusive('}').next().unwrap())
            .unwrap();
    assert_eq!(refusal["reason"], "path-not-granted");
    // The agent is told no address; the owner's event has the grant whole.
    assert_eq!(refusal["grant_that_would_allow"], format!("GET {}/admin query=deny", scene.place()));
    let whole = format!("GET {}/admin query=deny address=127.0.0.1", scene.place());
    assert!(scene.events_of("one", "refused").iter().any(|event| event["allow"] == *whole));
    assert!(run.stdout().contains("method-not-granted"), "{}", run.stdout());
    let lines: Vec<String> = scene.server.seen().iter().map(|seen| seen.line()).collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(scene.events_of("one", "refused").len(), 2);
    assert_eq!(scene.events_of("one", "requested")[0]["path"], "/v1/items");
    assert!(run.stderr().contains("permitted by: --allow"), "{}", run.stderr());
}

#[test]
fn a_client_that_sends_a_body_reads_why_it_is_refused() {
    let scene = Scene::new();
    // HTTP/2 with a body of less than a window, and of more; HTTP/1.1; a client that asks before it sends.
    let script = format!(
        "head -c 100000 /dev/zero >small; head -c 3000000 /dev/zero >large; \
         for flags in '--http2 -H Expect:' '--http1.1 -H Expect:' '--http1.1 -H Expect:100-continue'; do \
         for file in small large; do for turn in 1 2 3 4 5; do \
         curl -sS $flags --data-binary @$file {0} || echo LOST; echo; done; done; done",
        scene.url("/v1/items")
    );
    let run = scene.session("one", &["--allow", &scene.grant("GET", "/v1/**")], &script);
    assert_eq!(run.stdout().matches("method-not-granted").count(), 30, "{} {}", run.stdout(), run.stderr());
    assert!(!run.stdout().contains("LOST") && scene.server.seen().is_empty(), "{}", run.stderr());
}

#[test]
fn a_further_program_is_told_of_certificates_only_where_there_are_some() {
    let scene = Scene::new();
    scene.cofferdam(&["run", "-d", "--name", "one", "--", "sleep", "60"]).run().assert_success();
    let told = || scene.cofferdam(&["exec", "-s", "one", "--", "env"]).run().assert_success().stdout();
    assert!(told().contains("SSL_CERT_FILE=") && told().contains("https_proxy="), "{}", told());
    let certificate = scene.home.state().join("authority/certificate.pem");
    std::fs::remove_file(certificate).unwrap();
    assert!(!told().contains("SSL_CERT_FILE=") && told().contains("https_proxy="), "{}", told());
    scene.cofferdam(&["stop", "one"]).run().assert_success();
}

#[test]
fn programs_that_ignore_proxies_are_caught_just_the_same() {
    let scene = Scene::new();
    let url = scene.url("/v1/items");
    let script = format!(
        "curl -sS --noproxy '*' {url}; env -i PATH=$PATH curl -sS {url}; \
         env -i PATH=$PATH python3 -c 'import urllib.request; print(urllib.request.urlopen(\"{url}\").read().decode())'; \
         curl -sS --socks5-hostname 198.18.0.1:1080 {url}"
    );
    let run = scene.session("one", &["--allow", &scene.grant("GET", "/v1/**")], &script);
    assert_eq!(run.stdout().matches(WORD).count(), 4, "{} {}", run.stdout(), run.stderr());
    assert_eq!(scene.server.seen().len(), 4);
}

#[test]
fn a_session_without_grants_reaches_nothing_and_is_told_so_at_once() {
    let scene = Scene::new();
    let url = scene.url("/");
    let run = scene.session("one", &[], &format!("time -p curl -sS -w '%{{http_code}}' {url}"));
    assert!(run.stdout().contains("host-not-granted") && run.stdout().contains("403"), "{}", run.stdout());
    assert!(scene.server.seen().is_empty());
    // The control: the server is there.
    let granted = scene.session("two", &["--allow", &scene.grant("GET", "/")], &format!("curl -sS {url}"));
    assert!(granted.stdout().contains(WORD), "{} {}", granted.stdout(), granted.stderr());
}

#[test]
fn a_session_that_connects_to_nothing_has_no_gateway() {
    let scene = Scene::new();
    scene.session("one", &["--allow", &scene.grant("GET", "/")], "true").assert_success();
    assert!(scene.events_of("one", "gateway-began").is_empty());
    scene.session("two", &[], "curl -s http://nowhere.test/").assert_success();
    assert_eq!(scene.events_of("two", "gateway-began").len(), 1);
}

#[test]
fn a_private_address_behind_a_granted_name_is_refused_unless_the_grant_names_it() {
    let scene = Scene::new();
    let place = scene.place();
    let hosts = format!("GET localhost.localdomain:{}", scene.server.address().port());
    let script = format!("curl -sS {}", scene.url("/").replace(NAME, "localhost.localdomain"));
    let run = scene.session("one", &["--allow", &hosts], &script);
    assert!(!run.stdout().contains(WORD), "{}", run.stdout());
    assert!(scene.server.seen().is_empty());
    let run =
        scene.session("two", &["--allow", &scene.grant("GET", "")], &format!("curl -sS https://{place}/"));
    assert!(run.stdout().contains(WORD), "{} {}", run.stdout(), run.stderr());
}

#[test]
fn a_broken_grant_is_refused_before_anything_starts() {
    let scene = Scene::new();
    for (grant, words) in [
        ("GET *.com", ["cannot allow", "*.com"]),
        ("api.example.com/../x", ["cannot allow", "path"]),
        ("api.example.com credential=nobody", ["nobody", "credential"]),
    ] {
        let run = scene.session("one", &["--allow", grant], "touch /tmp/ran");
        assert_ne!(run.status.code(), Some(0), "{grant}");
        words.iter().for_each(|word| assert!(run.stderr().contains(word), "{grant}: {}", run.stderr()));
    }
}

#[test]
fn a_denied_host_is_refused_whatever_is_granted() {
    let scene = Scene::new();
    let policy = scene.home.write(
        "policy.toml",
        format!("allow = [{:?}]\n[deny]\nhosts = [\"**.service.test\"]\n", scene.grant("GET", "/**")),
    );
    let run = scene.session(
        "one",
        &["--policy", policy.to_str().unwrap()],
        &format!("curl -sS {}", scene.url("/")),
    );
    assert!(run.stdout().contains("host-denied"), "{} {}", run.stdout(), run.stderr());
    assert!(scene.server.seen().is_empty());
}

#[test]
fn net_shows_what_went_where_also_when_it_is_over() {
    let scene = Scene::new();
    let url = scene.url("/v1/a");
    scene.session(
        "one",
        &["--allow", &scene.grant("GET", "/v1/**")],
        &format!("curl -s {url}; curl -s {url}?x; curl -s http://other.test/"),
    );
    let net = scene.cofferdam(&["net", "one", "--json"]).run().assert_success().json();
    let rows = net["traffic"].as_array().unwrap();
    let row = rows.iter().find(|row| row["host"] == NAME).unwrap();
    assert_eq!((row["requests"].as_u64(), row["refused"].as_u64()), (Some(2), Some(0)));
    assert!(row["down"].as_u64().unwrap() >= 2 * WORD.len() as u64);
    assert!(rows.iter().any(|row| row["host"] == "other.test" && row["refused"] == 1), "{net}");
}

#[test]
fn a_session_that_is_detached_keeps_its_gateway_and_one_whose_supervisor_is_killed_leaves_none() {
    let scene = Scene::new();
    let script = format!("curl -sS {0}/a; echo; read line; curl -sS {0}/b; sleep 60", scene.url("/v1"));
    let words = ["run", "--name", "one", "--allow", &scene.grant("GET", "/v1/**"), "--", "sh", "-c", &script];
    let mut terminal = scene.cofferdam(&words).terminal(24, 80);
    terminal.wait_for(WORD);
    terminal.send(b"\x1ed");
    terminal.finish();
    let mut terminal = scene.cofferdam(&["attach", "one"]).terminal(24, 80);
    terminal.send(b"\r");
    scene.server.wait_for("the request after detaching", |seen| seen.path == "/v1/b");
    let shown = scene.cofferdam(&["ls", "--json"]).run().assert_success().json();
    let supervisor = shown[0]["supervisor_pid"].as_i64().unwrap();
    let supervisor = rustix::process::Pid::from_raw(i32::try_from(supervisor).unwrap()).unwrap();
    rustix::process::kill_process(supervisor, rustix::process::Signal::KILL).unwrap();
    terminal.finish();
    scene.home.wait_until_quiet();
}
