//! A Debian archive with one suite, one component and no signature: apt must be told to trust it.

use sha2::{Digest, Sha256};

use super::{Answer, Seen, archive, missing, writes};

/// Name, version, what it needs.
const PACKAGES: [(&str, &str, Option<&str>); 2] =
    [("anchor", "1.0", Some("ballast")), ("ballast", "2.1", None)];

pub(super) fn answer(seen: &Seen) -> Answer {
    if writes(seen) {
        return Answer::status(201);
    }
    let Some(path) = seen.path.strip_prefix("/debian/") else { return missing() };
    if let Some(file) = path.strip_prefix("pool/") {
        let found = PACKAGES.into_iter().find(|package| file_name(*package) == file);
        return found.map_or_else(missing, |package| Answer::bytes(deb(package)));
    }
    match path {
        "dists/stable/Release" => Answer::text(release()),
        "dists/stable/main/binary-amd64/Packages" | "dists/stable/main/binary-all/Packages" => {
            Answer::text(packages())
        }
        _ => missing(),
    }
}

fn release() -> String {
    let packages = packages();
    let hash = archive::hex(&Sha256::digest(&packages));
    let lists = ["main/binary-amd64/Packages", "main/binary-all/Packages"];
    let lines: String = lists.map(|list| format!(" {hash} {} {list}\n", packages.len())).concat();
    format!(
        "Origin: test\nLabel: test\nSuite: stable\nCodename: stable\nDate: Fri, 02 Jan 2026 03:04:05 UTC\n\
         Architectures: amd64 all\nComponents: main\nDescription: packages of a test\nSHA256:\n{lines}"
    )
}

fn packages() -> String {
    let stanzas = PACKAGES.map(|package| {
        let bytes = deb(package);
        let hash = archive::hex(&Sha256::digest(&bytes));
        format!(
            "{}Filename: pool/{}\nSize: {}\nSHA256: {hash}\n\n",
            control(package),
            file_name(package),
            bytes.len()
        )
    });
    stanzas.concat()
}

fn control((name, version, needs): (&str, &str, Option<&str>)) -> String {
    let needs = needs.map(|need| format!("Depends: {need}\n")).unwrap_or_default();
    format!(
        "Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: Ada <ada@owner.example>\n{needs}\
         Description: a package of a test\n"
    )
}

fn file_name((name, version, _): (&str, &str, Option<&str>)) -> String {
    format!("{name}_{version}_all.deb")
}

fn deb(package: (&str, &str, Option<&str>)) -> Vec<u8> {
    let (name, _, _) = package;
    let control = control(package);
    let control = archive::gzip(&archive::tar(&[("./control".to_owned(), control.as_bytes())]));
    let text = format!("{name}\n");
    let data = archive::gzip(&archive::tar(&[(format!("./usr/share/{name}/word"), text.as_bytes())]));
    archive::ar(&[
        ("debian-binary".to_owned(), b"2.0\n"),
        ("control.tar.gz".to_owned(), &control),
        ("data.tar.gz".to_owned(), &data),
    ])
}
