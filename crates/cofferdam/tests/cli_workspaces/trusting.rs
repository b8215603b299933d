//! Whom the programs of a cell trust, and what names lead to.

use super::OWNER;
use cofferdam_testkit::{Home, Outcome};
use std::process::Command;

/// An authority, and a server's certificate by it, made by OpenSSL as the gateway would.
const MAKE: &str = "set -e
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -subj '/CN=Cofferdam cells' \
        -days 2 -out ca.pem
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout project/spoken -subj /CN=localhost -out csr
    printf 'subjectAltName=DNS:localhost' > extensions
    openssl x509 -req -in csr -CA ca.pem -CAkey ca.key -days 2 -extfile extensions -out project/server.pem";

/// A server, and clients that know nothing but the system's stores.
const CONNECT: &str = "
    openssl s_server -quiet -www -accept 8443 -cert server.pem -key spoken > log 2>&1 &
    for i in 1 2 3 4 5 6 7 8 9 10; do curl -ksS https://localhost:8443/ > /dev/null 2>&1 && break; sleep 0.2; done
    curl -sS -o /dev/null https://localhost:8443/; echo curl=$?
    openssl s_client -verify_return_error -connect localhost:8443 < /dev/null > /dev/null 2>&1; echo openssl=$?
    openssl verify -no-CAfile -CApath /etc/ssl/certs server.pem > /dev/null 2>&1; echo path=$?
    /usr/bin/python3 -c 'import urllib.request as u; u.urlopen(\"https://localhost:8443/\").read()' > /dev/null 2>&1
    echo python=$?
    git ls-remote https://localhost:8443/x 2>&1 | grep -c 'certificate'
    keytool -list -v -cacerts -storepass changeit 2> /dev/null | grep -c 'Owner: CN=Cofferdam cells'
    ls /etc/cofferdam 2> /dev/null | tr '\\n' ' '";

fn connect(home: &Home) -> Outcome {
    home.cofferdam().args(["run", "--", "sh", "-c", CONNECT]).in_directory(home.work().join("project")).run()
}

#[test]
fn every_store_trusts_the_owners_authority_and_no_other() {
    let home = Home::of(OWNER);
    home.write("project/file", "x");
    let made = Command::new("sh").args(["-c", MAKE]).current_dir(home.work()).output().unwrap();
    assert!(made.status.success(), "this test needs openssl: {made:?}");
    let key = std::fs::read(home.work().join("project/spoken")).unwrap();
    home.write("project/spoken", key);
    let before = connect(&home);
    // By then the owner has an authority, which did not make this server's certificate.
    let refused = "curl=60\nopenssl=1\npath=2\npython=1\n1\n1\nauthority.pem ca-certificates.crt ";
    assert_eq!(before.assert_success().stdout(), refused);
    let certificate = std::fs::read(home.work().join("ca.pem")).unwrap();
    home.write(home.state().join("authority/certificate.pem"), &certificate);
    let after = connect(&home);
    let trusted = "curl=0\nopenssl=0\npath=0\npython=0\n0\n1\nauthority.pem ca-certificates.crt ";
    assert_eq!(after.assert_success().stdout(), trusted);
}

#[test]
fn every_name_has_an_address_and_what_is_asked_of_it_is_refused_at_once() {
    let home = Home::of(OWNER);
    let script = "getent ahostsv4 registry.example | head -n 1 | cut -d ' ' -f 1
        getent ahostsv6 registry.example | head -n 1 | cut -d ' ' -f 1
        getent hosts localhost | tr -s ' ' | cut -d ' ' -f 2
        curl -sS --max-time 5 -o /dev/null -w '%{http_code}\\n' https://registry.example/
        curl -sS --max-time 5 -o /dev/null -w '%{http_code}\\n' http://203.0.113.9/
        git clone -q https://git.example/x 2> /dev/null || echo git=$?
        ls -l /etc/gitconfig | cut -d '>' -f 2";
    let run = home.cofferdam().args(["run", "--", "sh", "-c", script]).run();
    let expected =
        "198.18.0.16\nfd00:c0ff:e::10\nlocalhost\n403\n403\ngit=128\n /var/lib/cofferdam/gitconfig\n";
    assert_eq!(run.assert_success().stdout(), expected);
}
