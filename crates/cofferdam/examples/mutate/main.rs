//! Leaves out one part of the enforcement at a time and looks whether the probe, or a test, notices: `make mutate`.
//!
//! A mutated copy of the sources is built once, below the target directory; each mutant is that program with other bytes
//! in one place, which say what it leaves out. Nothing that is shipped can be told to leave anything out.
//! `mutate [PREFIX]...` tries the mutants whose names begin so; without a word, all. Exit status 1 where one that
//! `docs/mutation.md` does not explain was not noticed.
#![forbid(unsafe_code)]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::duplicate_mod,
    dead_code,
    reason = "a tool of the tests': a panic is how it fails; every mutant is tried for both owners, in the escape suite's scene"
)]

mod copy;
mod cuts;
mod explained;
mod filter;
mod mutant;
mod named;
mod plan;
mod program;
mod source;

use cofferdam_testkit::Owner;
use mutant::Mutant;
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::Instant;

/// Two cells at a time: a mutant waits more than it works.
const AT_ONCE: usize = 2;

#[path = "."]
mod root {
    pub(crate) const OWNER: cofferdam_testkit::Owner = cofferdam_testkit::Owner::Root;

    #[path = "../../tests/escape_cell/aims.rs"]
    mod aims;
    pub(crate) mod judge;
    #[path = "../../tests/escape_cell/reports.rs"]
    mod reports;
    #[path = "../../tests/escape_cell/scene.rs"]
    mod scene;
}

#[path = "."]
mod ordinary {
    pub(crate) const OWNER: cofferdam_testkit::Owner = cofferdam_testkit::Owner::Ordinary;

    #[path = "../../tests/escape_cell/aims.rs"]
    mod aims;
    pub(crate) mod judge;
    #[path = "../../tests/escape_cell/reports.rs"]
    mod reports;
    #[path = "../../tests/escape_cell/scene.rs"]
    mod scene;
}

fn main() -> ExitCode {
    let began = Instant::now();
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let built = copy::build();
    println!("built the mutated copy in {} s", began.elapsed().as_secs());
    let owners: &[Owner] = match Owner::current() {
        Owner::Root => &[Owner::Ordinary, Owner::Root],
        Owner::Ordinary => &[Owner::Ordinary],
    };
    let mut noticed: BTreeMap<String, String> = BTreeMap::new();
    let mut all = BTreeMap::new();
    for &owner in owners {
        let mutants: Vec<Mutant> = mutants(owner, &built)
            .into_iter()
            .filter(|mutant| wanted.is_empty() || wanted.iter().any(|prefix| mutant.name.starts_with(prefix)))
            .filter(|mutant| !noticed.contains_key(&mutant.name))
            .collect();
        println!("{owner:?}: {} mutants", mutants.len());
        for (mutant, verdict) in judge_all(owner, mutants, &built) {
            all.insert(mutant.name.clone(), mutant.clone());
            if let Some(by) = verdict {
                noticed.insert(mutant.name.clone(), by);
            }
        }
    }
    let mut unexplained = 0;
    for mutant in all.values().filter(|mutant| !noticed.contains_key(&mutant.name)) {
        match explained::why(&mutant.name) {
            Some(why) => println!("explained {:<52} {why}", mutant.name),
            None => {
                unexplained += 1;
                println!("SURVIVED  {}", mutant.name);
            }
        }
    }
    mutant::tally(all.values(), &noticed);
    println!("{} s", began.elapsed().as_secs());
    ExitCode::from(u8::from(unexplained > 0))
}

fn mutants(owner: Owner, built: &copy::Built) -> Vec<Mutant> {
    let told = match owner {
        Owner::Root => root::judge::tell(built),
        Owner::Ordinary => ordinary::judge::tell(built),
    };
    let mut mutants = plan::mutants(&told["plan"]);
    mutants.extend(cuts::CUTS.iter().map(Mutant::of_cut));
    mutants.extend(mutant::of_namespaces());
    mutants.extend(filter::mutants(&told["rules"]));
    mutants
}

/// What noticed each mutant.
fn judge_all(owner: Owner, mutants: Vec<Mutant>, built: &copy::Built) -> Vec<(Mutant, Option<String>)> {
    let judge = |mutant: &Mutant| match owner {
        Owner::Root => root::judge::notices(built, mutant),
        Owner::Ordinary => ordinary::judge::notices(built, mutant),
    };
    let (waiting, judged) = (Mutex::new(mutants.into_iter()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some(mutant) = waiting.lock().unwrap().next() else { break };
                    let by = match mutant.is_of_the_filter() {
                        // A test of the filter answers at once.
                        true => named::notices(built, &mutant, owner).or_else(|| judge(&mutant)),
                        false => judge(&mutant).or_else(|| named::notices(built, &mutant, owner)),
                    };
                    let told = by.as_deref().unwrap_or("-");
                    println!("{owner:?} {:<52} {told}", mutant.name);
                    judged.lock().unwrap().push((mutant, by));
                }
            });
        }
    });
    judged.into_inner().unwrap()
}
