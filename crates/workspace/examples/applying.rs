//! The smallest program around apply, undo and recovery, for tests that kill it and for measuring.
//!
//! `applying apply TREE STATE STAGED ID` · `applying undo TREE STATE UNDONE ID` · `applying recover TREE STATE`. The
//! batch is the file `batch` in STAGED, one step a line: `put PATH NAME [x]`, `link PATH TARGET`, `dir PATH`,
//! `remove PATH`, `mode PATH [x]`; what lies there when it starts is what is expected. It ends with 0, with 3 if nothing was
//! changed, with 4 if a recovery is needed, with 5 if paths of the owner's were left. It is no part of the product.
#![forbid(unsafe_code)]

use cofferdam_workspace::apply::{
    self, Act, ApplyError, ApplyId, Batch, ContentDigest, Expected, StagedFile, Step,
};
use cofferdam_workspace::path::WorkspacePath;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};
use std::error::Error;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody may be listening; the exit code is what counts.
            writeln!(std::io::stderr(), "{error}: {error:?}").unwrap_or_default();
            ExitCode::from(match error.downcast_ref::<ApplyError>() {
                Some(ApplyError::Unsettled { .. }) => 4,
                Some(ApplyError::Abandoned { .. }) => 5,
                Some(_) => 3,
                None => 2,
            })
        }
    }
}

fn run(arguments: &[String]) -> Outcome<()> {
    let argument = |number: usize| arguments.get(number).map(String::as_str).ok_or("an argument is missing");
    let (tree, state) = (open(argument(2)?)?, open(argument(3)?)?);
    let id = |number| ApplyId::parse(argument(number)?).ok_or("an id is 16 digits");
    match argument(1)? {
        "apply" => {
            let staged = Path::new(argument(4)?);
            let steps = steps(tree.as_fd(), staged)?;
            let directory = rustix::fs::openat(CWD, staged, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
            apply::apply(tree.as_fd(), state.as_fd(), id(5)?, &Batch { staged: directory.as_fd(), steps })?;
        }
        "undo" => {
            apply::undo(tree.as_fd(), state.as_fd(), id(4)?, id(5)?)?;
        }
        "recover" => {
            apply::recover(tree.as_fd(), state.as_fd())?;
        }
        other => return Err(format!("there is no act {other}").into()),
    }
    Ok(())
}

fn open(path: &str) -> Outcome<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(CWD, path, flags, Mode::empty())?)
}

fn steps(tree: BorrowedFd<'_>, staged: &Path) -> Outcome<Vec<Step>> {
    let text = std::fs::read_to_string(staged.join("batch"))?;
    text.lines().map(|line| step(tree, staged, line)).collect()
}

fn step(tree: BorrowedFd<'_>, staged: &Path, line: &str) -> Outcome<Step> {
    let words: Vec<&str> = line.split(' ').collect();
    let word = |number: usize| words.get(number).copied().ok_or("a word is missing");
    let act = match word(0)? {
        "put" => {
            let content = std::fs::read(staged.join(word(2)?))?;
            Act::PutFile(StagedFile {
                name: word(2)?.into(),
                offset: None,
                size: u64::try_from(content.len())?,
                sha256: ContentDigest(Sha256::digest(&content).into()),
                executable: words.last() == Some(&"x"),
            })
        }
        "link" => Act::PutSymlink(word(2)?.into()),
        "dir" => Act::PutDirectory,
        "remove" => Act::Remove,
        "mode" => Act::SetExecutable(words.last() == Some(&"x")),
        other => return Err(format!("there is no step {other}").into()),
    };
    let path = WorkspacePath::new(word(1)?)?;
    let expected = match Expected::now(tree, &path) {
        // Beyond a mount point: that is for the apply to say.
        Err(Errno::XDEV) => Expected::Missing,
        expected => expected?,
    };
    Ok(Step { path, expected, act })
}
