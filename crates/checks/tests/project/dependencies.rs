//! Which crate may know which, and how many foreign ones there may be.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata, PackageId};
use cofferdam_checks::{Table, assert_none, metadata, read, table_under};

/// All packages that Cargo.lock names, the project's own included. Raising it is a decision: say in ARCHITECTURE.md what
/// the new dependency is for, and why it is worth its readers' trust.
const LOCKED_PACKAGES_MAX: usize = 250;
/// Packages linked into `cofferdam`, the project's own and what runs at build time included.
const LINKED_PACKAGES_MAX: usize = 190;

const HEADING: &str = "## Crates";
const COLUMNS: [&str; 3] = ["crate", "may depend on", "one line"];
const NAME_PREFIX: &str = "cofferdam-";

#[test]
fn the_crates_depend_on_each_other_as_the_table_in_architecture_says() {
    let text = read("ARCHITECTURE.md", "holds the table of crates");
    let Some(table) = table_under(&text, HEADING) else {
        panic!(
            "ARCHITECTURE.md has no table under the heading `{HEADING}`: its columns are | {} |",
            COLUMNS.join(" | ")
        )
    };
    assert_eq!(table.columns, COLUMNS, "the columns of the table under `{HEADING}` in ARCHITECTURE.md");
    let described = describe(&table);
    let real = layers(&metadata());
    let mut findings = Vec::new();
    for (name, depends_on) in &real {
        let row = format!("| `{name}` | {} | … |", list(depends_on));
        match described.get(name) {
            None => findings.push(format!("there is no row for {name}; write: {row}")),
            Some(allowed) if allowed != depends_on => {
                findings.push(format!("the row of {name} should be: {row}"))
            }
            Some(_) => {}
        }
    }
    let gone = described.keys().filter(|name| !real.contains_key(*name));
    findings.extend(gone.map(|name| format!("there is no crate {name}: remove its row")));
    assert_none(&findings, "change the crates' Cargo.toml, or, if the layers are meant to change, the table");
}

#[test]
fn the_lock_file_is_within_its_budget() {
    let lock = read("Cargo.lock", "pins the dependencies");
    let count = lock.lines().filter(|line| *line == "[[package]]").count();
    assert!(
        count <= LOCKED_PACKAGES_MAX,
        "Cargo.lock names {count} packages, the budget is {LOCKED_PACKAGES_MAX}: do without, or raise the constant and say why"
    );
}

#[test]
fn what_is_linked_into_cofferdam_is_within_its_budget() {
    let linked = linked_into(&metadata(), "cofferdam");
    assert!(
        linked.len() <= LINKED_PACKAGES_MAX,
        "cofferdam links {} packages, the budget is {LINKED_PACKAGES_MAX}: do without, or raise the constant and say why\n  {}",
        linked.len(),
        linked.into_iter().collect::<Vec<_>>().join(" ")
    );
}

#[test]
fn the_programs_link_nothing_that_is_for_development_only() {
    let metadata = metadata();
    let linked = linked_into(&metadata, "cofferdam");
    for development in ["cofferdam-testkit", "cofferdam-fuzz", "cofferdam-checks"] {
        assert!(!linked.contains(development), "cofferdam links {development}: make it a dev-dependency");
    }
}

fn describe(table: &Table) -> BTreeMap<String, BTreeSet<String>> {
    let bare = |cell: &str| cell.replace('`', "").trim().to_owned();
    let rows = table.rows.iter().filter_map(|row| {
        let (name, depends_on) = (row.first()?, row.get(1)?);
        let names =
            depends_on.split(',').map(bare).filter(|name| !name.is_empty() && name != "—" && name != "-");
        Some((bare(name), names.collect()))
    });
    rows.collect()
}

/// The crates by their short names, each with those of the workspace that it is built or linked with.
fn layers(metadata: &Metadata) -> BTreeMap<String, BTreeSet<String>> {
    let packages = metadata.workspace_packages();
    let own: BTreeSet<String> = packages.iter().map(|package| package.name.to_string()).collect();
    let layers = packages.iter().map(|package| {
        let real =
            package.dependencies.iter().filter(|dependency| dependency.kind != DependencyKind::Development);
        let depends_on = real.filter(|dependency| own.contains(&dependency.name));
        (short(&package.name), depends_on.map(|dependency| short(&dependency.name)).collect())
    });
    layers.collect()
}

fn short(name: &str) -> String {
    name.strip_prefix(NAME_PREFIX).unwrap_or(name).to_owned()
}

fn list(names: &BTreeSet<String>) -> String {
    if names.is_empty() {
        return "—".to_owned();
    }
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// The names of all packages that `program` reaches by normal and build dependencies.
fn linked_into(metadata: &Metadata, program: &str) -> BTreeSet<String> {
    let Some(resolve) = &metadata.resolve else { panic!("cargo resolved no dependencies") };
    let names: BTreeMap<&PackageId, &str> =
        metadata.packages.iter().map(|package| (&package.id, package.name.as_str())).collect();
    let nodes: BTreeMap<&PackageId, _> = resolve.nodes.iter().map(|node| (&node.id, node)).collect();
    let first = metadata.workspace_packages().into_iter().find(|package| package.name.as_str() == program);
    let Some(first) = first else { panic!("there is no package {program}") };
    let mut open = vec![&first.id];
    let mut reached = BTreeSet::new();
    while let Some(id) = open.pop() {
        if !reached.insert(id) {
            continue;
        }
        let dependencies = nodes.get(id).map(|node| node.deps.as_slice()).unwrap_or_default();
        let built_with = dependencies.iter().filter(|dependency| {
            dependency.dep_kinds.iter().any(|kind| kind.kind != DependencyKind::Development)
        });
        open.extend(built_with.map(|dependency| &dependency.pkg));
    }
    reached.into_iter().filter_map(|id| names.get(id).map(|name| (*name).to_owned())).collect()
}
