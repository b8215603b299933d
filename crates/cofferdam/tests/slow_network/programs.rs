//! Programs as they come from a distribution, told nothing by flags: they reach what is granted, by TLS that they check,
//! with the proxy's variables and without.

use super::scene::{NAME, SECRET, Scene, WORD};
use cofferdam_testkit::forge::{Forge, Guarded};
use cofferdam_testkit::pki::Pki;
use cofferdam_testkit::{Home, Invocation, Outcome};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(100);

/// A shell function that runs its words twice, and says which way.
const BOTH: &str = "both() { echo \"with: $(\"$@\" 2>&1)\"; \
     echo \"without: $(env -u http_proxy -u HTTP_PROXY -u https_proxy -u HTTPS_PROXY -u all_proxy -u ALL_PROXY \
     -u npm_config_proxy -u npm_config_https_proxy \"$@\" 2>&1)\"; }; ";

/// Runs words both ways in a session, and sees that each got the server's word, and nothing that is not granted.
#[track_caller]
fn both_reach(files: &[(&str, String)], prepare: &str, words: &str) {
    let scene = Scene::new();
    for (name, text) in files {
        scene.home.write(format!("project/{name}"), text);
    }
    let (granted, refused) = (scene.url("/v1/a"), scene.url("/admin"));
    let script = format!("{BOTH}{prepare}\n both {words} {granted}; both {words} {refused}");
    let grant = scene.grant("GET", "/v1/**");
    let run = ["run", "--name", "one", "--allow", &grant, "--", "bash", "-c", &script];
    let run = scene.cofferdam(&run).run_within(PATIENCE);
    assert_eq!(run.stdout().matches(WORD).count(), 2, "{run}");
    assert!(run.stdout().contains(&format!("with: {WORD}")), "{run}");
    let refused = scene.events_of("one", "refused");
    assert!(refused.iter().any(|refused| refused["reason"] == "path-not-granted"), "{run} {refused:?}");
    assert!(scene.server.seen().iter().all(|seen| seen.path == "/v1/a" && seen.sni.as_deref() == Some(NAME)));
    assert_eq!(scene.server.seen().len(), 2, "{run}");
}

#[test]
fn curl() {
    both_reach(&[], "", "curl -sS");
}

#[test]
fn python_with_urllib_and_requests() {
    let program = "import sys, urllib.request\nprint(urllib.request.urlopen(sys.argv[1]).read().decode())\n";
    both_reach(&[("p.py", program.to_owned())], "", "python3 p.py");
    // As pip brings it along, with trusted certificates of its own.
    let program = "import sys\nfrom pip._vendor import requests\nprint(requests.get(sys.argv[1]).text)\n";
    both_reach(&[("p.py", program.to_owned())], "", "/usr/bin/python3 p.py");
}

#[test]
fn node_with_fetch_and_https() {
    let program = "fetch(process.argv[2]).then(r => r.text()).then(console.log);\n";
    both_reach(&[("p.mjs", program.to_owned())], "", "node p.mjs");
    let program = "require('https').get(process.argv[2], r => r.pipe(process.stdout));\n";
    both_reach(&[("p.cjs", program.to_owned())], "", "node p.cjs");
}

#[test]
fn a_go_client() {
    let program = "package main\nimport (\"fmt\"; \"io\"; \"net/http\"; \"os\")\nfunc main() {\n\
         r, err := http.Get(os.Args[1])\n if err != nil { fmt.Println(err); os.Exit(1) }\n\
         b, _ := io.ReadAll(r.Body)\n fmt.Print(string(b))\n}\n";
    let files = [("p.go", program.to_owned()), ("go.mod", "module p\n\ngo 1.19\n".to_owned())];
    both_reach(&files, "go build -o p . || exit", "./p");
}

#[test]
fn a_java_client_old_and_new() {
    let program = "import java.net.*; import java.net.http.*;\npublic class P { public static void main(String[] a) throws Exception {\n\
         var c = HttpClient.newHttpClient();\n\
         var r = c.send(HttpRequest.newBuilder(URI.create(a[0])).build(), HttpResponse.BodyHandlers.ofString());\n\
         System.out.println(r.body()); } }\n";
    both_reach(&[("P.java", program.to_owned())], "javac P.java || exit", "java -Xmx128m P");
    let program = "import java.net.*;\npublic class P { public static void main(String[] a) throws Exception {\n\
         System.out.println(new String(new URL(a[0]).openStream().readAllBytes())); } }\n";
    both_reach(&[("P.java", program.to_owned())], "javac P.java || exit", "java -Xmx128m P");
}

#[test]
fn openssl_s_client() {
    let program = format!(
        "rest=${{1#https://}}; place=${{rest%%/*}}; path=/${{rest#*/}}\n\
         printf 'GET %s HTTP/1.1\\r\\nHost: %s\\r\\nConnection: close\\r\\n\\r\\n' \"$path\" \"$place\" |\n\
         openssl s_client -quiet -verify_return_error -verify_hostname {NAME} -servername {NAME} -connect \"$place\" 2>/dev/null |\n\
         tail -n 1\n"
    );
    both_reach(&[("p.sh", program)], "", "sh p.sh");
}

/// A forge that wants a password for everything, and an owner whose policy is what docs/secrets.md says for git.
struct Git {
    home: Home,
    pki: Pki,
    forge: Forge,
}

impl Git {
    fn new() -> Self {
        let pki = Pki::new();
        let forge = Forge::secure(&pki, "x-access-token", SECRET, Guarded::Everything);
        forge.repository("hull", &[("README.md", "hull\n")]);
        forge.repository("other", &[("README.md", "other\n")]);
        let git = Self { home: Home::of(super::OWNER), pki, forge };
        let add = git.cofferdam(&["secret", "add", "forge", "--from", "env:PLANTED"]);
        add.env("PLANTED", SECRET).run().assert_success();
        let port = git.forge.server().address().port();
        let policy = format!(
            "allow = [\"GET,POST git.test:{port}/hull.git/** credential=forge address=127.0.0.1\"]\n\
             [credential.forge]\nsecret = \"forge\"\nplace = \"basic:x-access-token\"\nenvironment = [\"GITHUB_TOKEN\"]\n"
        );
        git.home.write("policy.toml", policy);
        git
    }

    fn cofferdam(&self, words: &[&str]) -> Invocation {
        let trusted = self.home.keep("trusted.pem", self.pki.root_pem());
        let project = self.home.directory("project");
        self.home.cofferdam().args(words).env("SSL_CERT_FILE", trusted).in_directory(project)
    }

    fn session(&self, script: &str) -> Outcome {
        let policy = self.home.work().join("policy.toml").display().to_string();
        let who = "export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b.c GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b.c \
             GIT_TERMINAL_PROMPT=0; ";
        let script = format!("{who}{script}");
        self.cofferdam(&["run", "--name", "one", "--policy", &policy, "--", "bash", "-ec", &script])
            .run_within(PATIENCE)
    }
}

#[test]
fn git_clones_and_pushes_over_https_without_ever_holding_the_token() {
    let git = Git::new();
    let (plain, other) = (git.forge.url("hull"), git.forge.url("other"));
    let with_handle = plain.replacen("://", "://x-access-token:$GITHUB_TOKEN@", 1);
    let script = format!(
        "git clone -q {plain} one; cd one; echo 1 > a; git add a; git commit -qm second; git push -q origin main; cd ..\n\
         git clone -q \"{with_handle}\" two; cd two; echo 2 > b; git add b; git commit -qm third; git push -q origin main; cd ..\n\
         git config --global credential.helper '!f() {{ echo username=x-access-token; echo password=$GITHUB_TOKEN; }}; f'\n\
         git clone -q {plain} three; cd three; echo 3 > c; git add c; git commit -qm fourth\n\
         env -u http_proxy -u https_proxy -u HTTP_PROXY -u HTTPS_PROXY -u all_proxy -u ALL_PROXY git push -q origin main; cd ..\n\
         git -C three log --format=%s | tr '\\n' ' '; git clone -q {other} four 2>&1 || echo refused"
    );
    let run = git.session(&script);
    assert_eq!(
        git.forge.ask("hull", &["log", "--format=%s", "main"]),
        "fourth\nthird\nsecond\nfirst\n",
        "{run}"
    );
    assert!(run.stdout().starts_with("fourth third second first ") && run.stdout().contains("403"), "{run}");
    assert!(run.stdout().ends_with("refused\n"), "{run}");
    assert!(git.forge.server().seen().iter().all(|seen| seen.path.starts_with("/hull.git/")));
    let all = git.forge.server().seen();
    assert!(all.iter().all(|seen| seen.basic() == Some(("x-access-token".to_owned(), SECRET.to_owned()))));
}

#[test]
fn git_reaches_by_https_what_a_url_names_by_ssh() {
    let git = Git::new();
    let script = "git clone -q git@git.test:hull.git one; git clone -q ssh://git@git.test/hull.git two; \
         git clone -q git://git.test/hull.git three; cd two; echo 1 > a; git add a; git commit -qm second; \
         git push -q origin main; git -C ../one pull -q; cat ../one/a; git clone -q git@other.test:hull.git 2>&1 || echo refused";
    let run = git.session(script);
    assert!(run.stdout().starts_with("1\n") && run.stdout().ends_with("refused\n"), "{run}");
    assert_eq!(git.forge.ask("hull", &["log", "--format=%s", "main"]), "second\nfirst\n");
}
