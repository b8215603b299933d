//! Commits and tags: lines of words, an empty line, a message.
//!
//! Names, times and messages stay bytes as they were written; signatures are kept and not judged.

use super::Fault;
use super::id::{ObjectFormat, ObjectId, ObjectKind};

/// The most parents of one commit.
const PARENTS_MAX: usize = 1_024;
/// The most lines before a message.
const LINES_MAX: usize = 65_536;

/// A commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// The state of the tree.
    pub tree: ObjectId,
    /// What it follows.
    pub parents: Vec<ObjectId>,
    /// Name, address and time, as written.
    pub author: Vec<u8>,
    /// The same of who committed it.
    pub committer: Vec<u8>,
    /// Other lines by their first word, such as `gpgsig`, with their continuations.
    pub others: Vec<(Vec<u8>, Vec<u8>)>,
    /// As written.
    pub message: Vec<u8>,
}

impl Commit {
    /// Reads a commit's content.
    ///
    /// # Errors
    /// [`Fault::Lines`].
    pub fn parse(format: ObjectFormat, content: &[u8]) -> Result<Self, Fault> {
        let (lines, message) = lines(content).ok_or(Fault::Lines)?;
        let mut lines = lines.into_iter().peekable();
        let mut id = |word: &[u8]| {
            let (_, value) = lines.next_if(|(known, _)| known == word)?;
            Some(ObjectId::from_hex(format, &value))
        };
        let tree = id(b"tree").flatten().ok_or(Fault::Lines)?;
        let mut parents = Vec::new();
        while let Some(parent) = id(b"parent") {
            if parents.len() >= PARENTS_MAX {
                return Err(Fault::Lines);
            }
            parents.push(parent.ok_or(Fault::Lines)?);
        }
        let mut person = |word: &[u8]| {
            let line = lines.next_if(|(known, _)| known == word);
            line.map(|(_, value)| value).ok_or(Fault::Lines)
        };
        let (author, committer) = (person(b"author")?, person(b"committer")?);
        let others: Vec<(Vec<u8>, Vec<u8>)> = lines.collect();
        // What stands twice is read one way by one reader and the other way by another.
        let headers: [&[u8]; 4] = [b"tree", b"parent", b"author", b"committer"];
        if others.iter().any(|(word, _)| headers.contains(&word.as_slice())) {
            return Err(Fault::Lines);
        }
        Ok(Self { tree, parents, author, committer, others, message: message.to_vec() })
    }
}

/// A tag with a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// What it names.
    pub object: ObjectId,
    /// What that is said to be.
    pub kind: ObjectKind,
    /// Its own name.
    pub name: Vec<u8>,
}

impl Tag {
    /// Reads a tag's content.
    ///
    /// # Errors
    /// [`Fault::Lines`].
    pub fn parse(format: ObjectFormat, content: &[u8]) -> Result<Self, Fault> {
        let (lines, _message) = lines(content).ok_or(Fault::Lines)?;
        let mut lines = lines.into_iter();
        let mut value = |word: &[u8]| {
            let line = lines.next().filter(|(known, _)| known == word);
            line.map(|(_, value)| value).ok_or(Fault::Lines)
        };
        let object = ObjectId::from_hex(format, &value(b"object")?).ok_or(Fault::Lines)?;
        let kind = ObjectKind::from_name(&value(b"type")?).ok_or(Fault::Lines)?;
        Ok(Self { object, kind, name: value(b"tag")? })
    }
}

/// A word and the rest of its line; lines that begin with a blank go on the one before.
type Lines = Vec<(Vec<u8>, Vec<u8>)>;

/// The lines up to the first empty one, and what follows it.
fn lines(content: &[u8]) -> Option<(Lines, &[u8])> {
    let (mut lines, mut rest): (Lines, _) = (Vec::new(), content);
    loop {
        // A tag without a message may end with its last line.
        if rest.is_empty() {
            return Some((lines, rest));
        }
        let (line, after) = rest.split_at_checked(rest.iter().position(|byte| *byte == b'\n')?)?;
        rest = after.get(1..)?;
        if line.is_empty() {
            return Some((lines, rest));
        }
        if line.contains(&0) || lines.len() >= LINES_MAX {
            return None;
        }
        if let Some(more) = line.strip_prefix(b" ") {
            let (_, value) = lines.last_mut()?;
            value.push(b'\n');
            value.extend_from_slice(more);
            continue;
        }
        let blank = line.iter().position(|byte| *byte == b' ')?;
        let (word, value) = line.split_at_checked(blank)?;
        lines.push((word.to_vec(), value.get(1..)?.to_vec()));
    }
}
