//! Ports of a cell in the owner's browser, which curl stands in for.

use super::scene::Scene;
use cofferdam_testkit::Outcome;
use serde_json::Value;

/// A server in the cell, in what every Debian has: each answer is the request's own head.
const SERVER: &str = r#"perl -MIO::Socket::INET -e '
    my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => 3000, Listen => 9, ReuseAddr => 1) or die;
    while (my $c = $s->accept) {
        my $head = "";
        while (<$c>) { $head .= $_; last if /^\r\n/ }
        print $c "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: ", length $head, "\r\n\r\n$head";
        close $c;
    }'"#;

/// Asks as the owner's browser would: the name leads to loopback.
fn browse(scene: &Scene, url: &str, flags: &[&str]) -> Outcome {
    let authority = url.strip_prefix("http://").unwrap().split('/').next().unwrap();
    let resolve = format!("{authority}:127.0.0.1");
    let fixed = ["-sS", "--noproxy", "*", "--max-time", "20", "-D", "-", "--resolve", &resolve];
    scene.home.invoke("curl").args(fixed).args(flags).arg(url).run()
}

/// The one published port of a session, once its server answers.
fn wait_for_page(scene: &Scene, name: &str) -> String {
    let mut last = String::new();
    for _ in 0..200 {
        let found = scene.cofferdam(&["net", name, "--json"]).run().assert_success().json();
        if let Some(url) = found["published"][0]["url"].as_str() {
            let page = browse(scene, url, &[]);
            if page.stdout().starts_with("HTTP/1.1 200") {
                return url.to_owned();
            }
            last = format!("{found} {page}");
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    panic!("nothing answers: {last} {}", scene.cofferdam(&["events", name]).run())
}

fn exfiltration(explained: &Value) -> String {
    let radii = explained["radii"].as_array().unwrap();
    radii.iter().find(|radius| radius["name"] == "exfiltration").unwrap()["reach"].to_string()
}

#[test]
fn a_port_that_is_published_at_the_start_is_reached_by_its_own_name_and_by_no_other() {
    let scene = Scene::new();
    let before = scene.cofferdam(&["explain", "--publish", "3000", "--json"]).run().assert_success().json();
    assert!(exfiltration(&before).contains("anywhere, by your browser: port 3000"), "{before}");
    let words = ["run", "-d", "--name", "one", "--publish", "3000", "--", "sh", "-c", SERVER];
    let started = scene.cofferdam(&words).run();
    assert!(
        started.assert_success().stderr().contains("can send what it has anywhere"),
        "{}",
        started.stderr()
    );
    let url = wait_for_page(&scene, "one");
    assert!(url.starts_with("http://one-") && url.contains("-3000.localhost:"), "{url}");
    let page = browse(&scene, &format!("{url}page"), &["-H", "Cookie: a=b"]).stdout();
    assert!(page.contains("GET /page HTTP/1.1") && page.to_lowercase().contains("cookie: a=b"), "{page}");
    // Rebinding: whatever name leads to loopback, the server in the cell is not spoken to by it.
    for host in ["rebound.test", "localhost", "127.0.0.1"] {
        let refused = browse(&scene, &url, &["-H", &format!("Host: {host}")]).stdout();
        assert!(refused.starts_with("HTTP/1.1 421"), "{host}: {refused}");
    }
    let foreign = browse(&scene, &url, &["-H", "Origin: https://evil.test", "-d", "x"]).stdout();
    assert!(foreign.starts_with("HTTP/1.1 403"), "{foreign}");
    assert_eq!(scene.events_of("one", "published")[0]["url"], *url);
    assert!(scene.cofferdam(&["ls"]).run().stdout().contains(&url));
    scene.cofferdam(&["publish", "--stop", "3000", "-s", "one"]).run().assert_success();
    assert!(browse(&scene, &url, &[]).stderr().contains("curl: (7)"));
    scene
        .cofferdam(&["publish", "--stop", "3000", "-s", "one"])
        .run()
        .assert_refused(207, &["not published"]);
    scene.cofferdam(&["stop", "one"]).run().assert_success();
    assert_eq!(scene.events_of("one", "unpublished")[0]["port"], 3000);
}

#[test]
fn a_port_is_published_later_and_explained_as_long_as_the_session_runs() {
    let scene = Scene::new();
    scene.cofferdam(&["run", "-d", "--name", "one", "--", "sh", "-c", SERVER]).run().assert_success();
    let explained = || scene.cofferdam(&["explain", "one", "--json"]).run().assert_success().json();
    assert!(exfiltration(&explained()).contains("nowhere"), "{}", explained());
    let published =
        scene.cofferdam(&["publish", "3000", "-s", "one", "--json"]).run().assert_success().json();
    let again = scene.cofferdam(&["publish", "3000", "-s", "one", "--json"]).run().assert_success().json();
    assert_eq!(published, again);
    assert_eq!(published["url"], *wait_for_page(&scene, "one"));
    assert!(exfiltration(&explained()).contains("by your browser: port 3000"), "{}", explained());
    // A port at which nobody listens is published all the same, and says so.
    let other = scene.cofferdam(&["publish", "3001", "-s", "one", "--json"]).run().assert_success().json();
    let nobody = browse(&scene, other["url"].as_str().unwrap(), &[]).stdout();
    assert!(nobody.starts_with("HTTP/1.1 502") && nobody.contains("nothing in the cell listens"), "{nobody}");
    scene.cofferdam(&["stop", "one"]).run().assert_success();
    assert!(exfiltration(&explained()).contains("nowhere"), "{}", explained());
    scene.cofferdam(&["publish", "3000", "-s", "one"]).run().assert_refused(207, &["not running"]);
}

#[test]
fn another_user_of_the_machine_does_not_reach_it() {
    let scene = Scene::new();
    let words = ["run", "-d", "--name", "one", "--publish", "3000", "--", "sh", "-c", SERVER];
    scene.cofferdam(&words).run().assert_success();
    // The control: the owner's own gets the page.
    let url = wait_for_page(&scene, "one");
    let authority = url.strip_prefix("http://").unwrap().trim_end_matches('/').to_owned();
    let stranger = (scene.home.uid() + 7).to_string();
    let script = format!(
        "setpriv --reuid={stranger} --regid={stranger} --clear-groups curl -sS --noproxy '*' --max-time 20 \
         --resolve {authority}:127.0.0.1 {url} 2>&1"
    );
    let asked = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
    let said = String::from_utf8_lossy(&asked.stdout).into_owned();
    // A reset, as early or late as curl sees it.
    assert!(["(7)", "(52)", "(56)"].iter().any(|code| said.contains(&format!("curl: {code}"))), "{said}");
    // It was still there: the stranger did not come too late.
    let after = browse(&scene, &url, &[]);
    assert!(after.stdout().starts_with("HTTP/1.1 200"), "{after}");
    scene.cofferdam(&["stop", "one"]).run().assert_success();
}

#[test]
fn what_was_granted_and_published_stays_so_when_the_terminal_is_detached() {
    let scene = Scene::new();
    let script = format!("curl -sS {}; ({SERVER}) & wait", scene.url("/first"));
    let grant = scene.grant("GET", "/**");
    let words = ["run", "--name", "one", "--publish", "3000", "--allow", &grant, "--", "sh", "-c", &script];
    let mut terminal = scene.cofferdam(&words).terminal(24, 100);
    terminal.wait_for(super::scene::WORD);
    let url = wait_for_page(&scene, "one");
    terminal.send(b"\x1ed");
    terminal.finish();
    assert!(browse(&scene, &url, &[]).stdout().starts_with("HTTP/1.1 200"));
    let after = scene.cofferdam(&["exec", "-s", "one", "--", "curl", "-sS", &scene.url("/second")]).run();
    assert!(after.stdout().contains(super::scene::WORD), "{} {}", after.stdout(), after.stderr());
    scene.cofferdam(&["stop", "one"]).run().assert_success();
}
