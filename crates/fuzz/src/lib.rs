//! Dev only: feeds mutated inputs to the parsers of hostile text, on a stable compiler.
//!
//! A fuzz target is a function of bytes that asserts what must hold for any bytes. It stands beside the parser, in
//! a module named `fuzz`, so that formats stay private to their crates; its seeds lie in `corpus/NAME`. A run takes
//! the seeds first, then mutates what it has. It is *not* coverage-guided: it can't see which code ran, and keeps
//! an input for further mutation when the target's outcome is one that it has not seen before. It finds what is
//! near the seeds, and proves nothing of what is far.
//!
//! It knows nothing of the product: no crate of the workspace is linked here.
#![forbid(unsafe_code)]
#![expect(clippy::panic, reason = "a harness fails its test by panicking, with the remedy in the message")]

mod budget;
mod crash;
mod mutate;
mod shrink;
mod watch;

use budget::Budget;
use mutate::Mutator;
use std::collections::HashSet;
use std::fmt::Debug;
use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use watch::Watch;

/// The longest input that is made, in bytes.
pub const INPUT_BYTES_MAX: usize = 4 << 10;

/// The most inputs that are kept to be mutated.
const POOL_INPUTS_MAX: usize = 2_048;

/// The line that stands between the parts of an input; see [`parts`].
const SEPARATOR: &[u8] = b"\n%%\n";

/// Tries `target` on the seeds in `corpus/name`, then on mutated inputs until the budget is spent: a second or so,
/// or as many seconds as `COFFERDAM_FUZZ_SECONDS` says. What `target` returns tells outcomes apart.
///
/// # Panics
/// If `target` does, with the smallest input found that makes it; if there are no seeds.
pub fn fuzz<T: Debug>(name: &str, target: fn(&[u8]) -> T) {
    let seeds = seeds(name);
    let mut budget = Budget::from_environment();
    let mut mutator = Mutator::new(budget.seed(), &seeds);
    let watch = Watch::start(name);
    let mut run = Run { name, target, watch, seen: HashSet::new(), pool: Vec::new() };
    for seed in &seeds {
        run.attempt(seed);
        run.keep(seed.clone(), &mut mutator);
    }
    let mut inputs = seeds.len();
    while budget.goes_on() {
        inputs += 1;
        let input = mutator.mutated(&run.pool);
        if run.attempt(&input) {
            run.keep(input, &mut mutator);
        }
    }
    tell(&format!("{name}: {inputs} inputs, {} outcomes", run.seen.len()));
}

fn tell(line: &str) {
    // A run does not fail for want of somebody to tell.
    writeln!(std::io::stderr(), "{line}").unwrap_or_default();
}

/// The parts of an input that stands for several texts: what lies between lines of `%%`, empty when there are fewer.
#[must_use]
pub fn parts<const N: usize>(input: &[u8]) -> [&[u8]; N] {
    let mut rest = Some(input);
    std::array::from_fn(|number| {
        let Some(text) = rest else { return &[][..] };
        let cut = text.windows(SEPARATOR.len()).position(|window| window == SEPARATOR);
        let Some(cut) = cut.filter(|_| number + 1 < N) else {
            rest = None;
            return text;
        };
        rest = text.get(cut + SEPARATOR.len()..);
        text.get(..cut).unwrap_or_default()
    })
}

struct Run<'a, T> {
    name: &'a str,
    target: fn(&[u8]) -> T,
    watch: Watch,
    seen: HashSet<u64>,
    pool: Vec<Vec<u8>>,
}

impl<T: Debug> Run<'_, T> {
    /// Whether the outcome is new.
    fn attempt(&mut self, input: &[u8]) -> bool {
        self.watch.begins(input);
        match catch_unwind(AssertUnwindSafe(|| (self.target)(input))) {
            Ok(outcome) => {
                let mut hasher = DefaultHasher::new();
                format!("{outcome:?}").hash(&mut hasher);
                self.seen.insert(hasher.finish())
            }
            Err(_shown_already) => {
                self.watch.rests();
                let fails = |input: &[u8]| catch_unwind(AssertUnwindSafe(|| (self.target)(input))).is_err();
                let smallest = shrink::shrunk(input, fails);
                panic!(
                    "{name} breaks on b\"{bytes}\": mend it, and keep these bytes as a file in crates/fuzz/corpus/{name}{kept}",
                    name = self.name,
                    bytes = smallest.escape_ascii(),
                    kept = crash::kept(self.name, &smallest),
                )
            }
        }
    }

    fn keep(&mut self, input: Vec<u8>, mutator: &mut Mutator) {
        if self.pool.len() < POOL_INPUTS_MAX {
            self.pool.push(input);
        } else if let Some(old) = mutator.pick_mut(&mut self.pool) {
            *old = input;
        }
    }
}

/// Sorted, so that a run is the same wherever the files lie.
fn seeds(name: &str) -> Vec<Vec<u8>> {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let listed = std::fs::read_dir(&directory).and_then(|entries| {
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()
    });
    let mut files = match listed {
        Ok(files) if !files.is_empty() => files,
        none => panic!("there are no seeds in {}: write some by hand ({none:?})", directory.display()),
    };
    files.sort();
    let read = |path: &PathBuf| match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) => panic!("cannot read the seed {}: {error}", path.display()),
    };
    files.iter().map(read).collect()
}

#[cfg(test)]
mod tests;
