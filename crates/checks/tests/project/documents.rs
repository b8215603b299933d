//! What stands in the tree beside the code: licences, links, scripts; and what must stand nowhere.

use std::os::unix::fs::PermissionsExt;

use cofferdam_checks::{assert_none, links, metadata, read, root, tracked};

/// Paths of a machine that the project was built on, and hosts that packages come from, spelled so that this file holds
/// none of them. A tree that names them works on that machine only.
const FOREIGN: [&str; 13] = [
    concat!("/wo", "rk/"),
    concat!("/fa", "rm/"),
    concat!("/home/", "builder"),
    concat!(".libr", "ary/"),
    concat!("registry.", "npmjs.org"),
    concat!("registry.", "yarnpkg.com"),
    concat!("static.", "crates.io"),
    concat!("index.", "crates.io"),
    concat!("pypi.", "org"),
    concat!("files.", "pythonhosted.org"),
    concat!("proxy.", "golang.org"),
    concat!("deb.", "debian.org"),
    concat!("repo1.", "maven.org"),
];
#[test]
fn no_file_names_a_machine_or_a_registry() {
    let mut findings = Vec::new();
    for file in tracked() {
        for (number, line) in (1..).zip(file.text().lines()) {
            let named = FOREIGN.iter().filter(|foreign| names(line, foreign));
            findings.extend(named.map(|foreign| format!("{}:{number}: {foreign}", file.path)));
        }
    }
    assert_none(&findings, "use a path below the project, a variable, or the client's own configuration");
}

#[test]
fn every_relative_link_of_a_document_leads_somewhere() {
    let mut findings = Vec::new();
    for file in tracked().iter().filter(|file| file.path.ends_with(".md")) {
        let directory =
            root().join(&file.path).parent().map(std::path::Path::to_path_buf).unwrap_or_default();
        for link in links(file.text()) {
            let path = link.target.split(['#', ' ']).next().unwrap_or_default();
            let elsewhere = path.contains("://") || path.starts_with("mailto:");
            if !path.is_empty() && !elsewhere && !directory.join(path).exists() {
                findings.push(format!("{}:{}: {}", file.path, link.line, link.target));
            }
        }
    }
    assert_none(&findings, "correct the link, or write what it leads to");
}

#[test]
fn every_link_to_a_heading_finds_it() {
    let mut findings = Vec::new();
    for file in tracked().iter().filter(|file| file.path.ends_with(".md")) {
        let directory =
            std::path::Path::new(&file.path).parent().map(std::path::Path::to_path_buf).unwrap_or_default();
        for link in links(file.text()).into_iter().filter(|link| !link.target.contains("://")) {
            let Some((path, anchor)) = link.target.split_once('#') else { continue };
            let target =
                if path.is_empty() { file.path.clone() } else { directory.join(path).display().to_string() };
            let Ok(text) = std::fs::read_to_string(root().join(&target)) else { continue };
            if !text.lines().filter(|line| line.starts_with('#')).any(|heading| slug(heading) == anchor) {
                findings.push(format!("{}:{}: {}", file.path, link.line, link.target));
            }
        }
    }
    assert_none(
        &findings,
        "correct the part after #: the heading in small letters, blanks as -, without punctuation",
    );
}

#[test]
fn both_licences_are_there_and_every_crate_names_them() {
    assert!(read("LICENSE-MIT", "is one of the two licences").contains("Permission is hereby granted"));
    assert!(read("LICENSE-APACHE", "is one of the two licences").contains("Version 2.0, January 2004"));
    let wrong = metadata()
        .workspace_packages()
        .into_iter()
        .filter(|package| package.license.as_deref() != Some("MIT OR Apache-2.0"))
        .map(|package| package.name.to_string())
        .collect::<Vec<_>>();
    assert_none(&wrong, "write `license.workspace = true` in its Cargo.toml");
}

#[test]
fn the_documents_that_a_newcomer_looks_for_are_there() {
    let wanted = [
        "README.md",
        "ARCHITECTURE.md",
        "SECURITY.md",
        "CONTRIBUTING.md",
        "docs/escapes.md",
        "docs/exit-codes.md",
    ];
    let missing: Vec<String> =
        wanted.iter().filter(|path| !root().join(path).is_file()).map(|path| (*path).to_owned()).collect();
    assert_none(&missing, "write it");
}

#[test]
fn every_script_can_be_started_and_stops_at_the_first_failure() {
    let mut findings = Vec::new();
    for file in tracked().iter().filter(|file| file.text().starts_with("#!")) {
        let mode = std::fs::metadata(root().join(&file.path)).map(|metadata| metadata.permissions().mode());
        if mode.is_ok_and(|mode| mode & 0o111 == 0) {
            findings.push(format!("{} has a first line for the kernel but is not executable", file.path));
        }
        let of_bash = file.text().lines().next().is_some_and(|line| line.ends_with("bash"));
        if of_bash && !file.text().lines().any(|line| line == "set -euo pipefail") {
            findings.push(format!("{} lacks the line `set -euo pipefail`", file.path));
        }
    }
    assert_none(&findings, "chmod +x, and `set -euo pipefail` below the comment at the top");
}

/// Whether the line holds `foreign` where a word could begin: `/network/` is not the machine's directory.
fn names(line: &str, foreign: &str) -> bool {
    line.match_indices(foreign).any(|(at, _)| {
        let before = line.get(..at).and_then(|before| before.chars().next_back());
        !foreign.starts_with('/')
            || !before.is_some_and(|character| character.is_alphanumeric() || "_-.}$)".contains(character))
    })
}

/// The anchor that a heading gets on the usual forges.
fn slug(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text.chars().filter(|character| character.is_alphanumeric() || " -_".contains(*character));
    kept.map(|character| if character == ' ' { '-' } else { character }).collect()
}

#[test]
fn a_directory_of_a_machine_is_told_from_a_part_of_a_path() {
    let machine = FOREIGN.first().unwrap();
    assert!(names(&format!("see {machine}main"), machine));
    assert!(names(&format!("\"{machine}main\""), machine));
    assert!(!names(&format!("/var/tmp/x{machine}main"), machine));
    assert_eq!(slug("## The five radii (what we promise)"), "the-five-radii-what-we-promise");
}
