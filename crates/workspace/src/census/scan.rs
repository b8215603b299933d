//! How the tree of directories is read, or confirmed, by up to two threads.
//!
//! It knows no format ([`super::index`] does) and decides nothing about what is found.

use super::tree::{Node, Stamp, Standing, Tree, index};
use super::{
    CensusError, DIRECTORIES_MAX, DIRECTORY_PATH_BYTES_MAX, FINDINGS_MAX, Finding, Resemblance, name_kind,
};
use crate::beneath::{self, Listing};
use crate::path::{joined, visible};
use cofferdam_policy::mask::{MaskSet, looks_secret_name};
use rustix::fd::{AsFd, BorrowedFd};
use rustix::fs::{AtFlags, FileType, OFlags, StatxFlags};
use rustix::io::Errno;
use std::collections::HashMap;
use std::ffi::CStr;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// A directory that changed so shortly before the census may change again without its time stamp showing it.
const RACY_SECONDS: i64 = 2;

/// From this many directories on a second thread is worth its start.
const ALONE_DIRECTORIES_MAX: usize = 192;

/// From this many siblings on it pays to open their parent.
const SIBLINGS_MIN: usize = 4;

/// Where other people's files lie in great number: names that merely look secret are not pointed out there.
const FOREIGN_DIRECTORIES: &[&[u8]] =
    &[b"node_modules", b"site-packages", b"vendor", b"target", b".venv", b"venv"];

/// What the kernel says of a directory that the tree knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Same,
    Changed,
    Gone,
}

/// One census under way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Survey<'a> {
    pub(super) root: BorrowedFd<'a>,
    pub(super) masks: &'a MaskSet,
    pub(super) mount: u64,
    pub(super) now_unix_seconds: i64,
}

/// What two threads share while directories are read.
struct Desk {
    tree: Tree,
    answers: Vec<Answer>,
    /// Directories to be read.
    queue: Vec<u32>,
    /// Taken from the queue and not yet answered.
    in_hand: usize,
    /// Children, by parent and name, of the directories that changed: they may still be good.
    known: HashMap<(u32, Vec<u8>), u32>,
    /// By node: read in this census.
    reread: Vec<bool>,
    /// By node: its parent was read in this census and still has it.
    confirmed: Vec<bool>,
    findings: usize,
    failure: Option<CensusError>,
}

/// What one directory held.
struct Page {
    standing: Standing,
    stamp: Stamp,
    bare_repository: bool,
    findings: Vec<(Box<[u8]>, Finding)>,
    children: Vec<Box<[u8]>>,
}

impl Survey<'_> {
    /// Confirms or reads every directory of `tree`; gives the tree as it is now and how many were read.
    pub(super) fn renew(&self, tree: Tree) -> Result<(Tree, usize), CensusError> {
        let mut answers = self.ask(&tree);
        if answers.iter().all(|answer| *answer == Answer::Same) {
            return Ok((tree, 0));
        }
        // A directory that is gone means that its parent changed after it was asked.
        for (number, node) in tree.nodes.iter().enumerate().rev() {
            if answers.get(number) == Some(&Answer::Gone)
                && let Some(above) = answers.get_mut(index(node.parent))
                && *above == Answer::Same
            {
                *above = Answer::Changed;
            }
        }
        let desk = Desk::new(tree, answers);
        let desk = self.read_all(desk)?;
        let read = desk.reread.iter().filter(|read| **read).count();
        Ok((desk.compact(), read))
    }

    fn ask(&self, tree: &Tree) -> Vec<Answer> {
        if tree.nodes.len() <= ALONE_DIRECTORIES_MAX {
            return self.ask_some(tree, &tree.nodes);
        }
        let (front, back) = tree.nodes.split_at(tree.nodes.len() / 2);
        std::thread::scope(|scope| {
            let helper = scope.spawn(|| self.ask_some(tree, back));
            let mut answers = self.ask_some(tree, front);
            match helper.join() {
                Ok(more) => answers.extend(more),
                // What was not asked has to be read.
                Err(_panic) => answers.resize(tree.nodes.len(), Answer::Changed),
            }
            answers
        })
    }

    /// Most of the time goes into walking paths: siblings are asked from their parent.
    fn ask_some(&self, tree: &Tree, nodes: &[Node]) -> Vec<Answer> {
        let mut answers = Vec::with_capacity(nodes.len());
        for siblings in nodes.chunk_by(|a, b| a.parent == b.parent) {
            let parent = siblings.first().and_then(|node| tree.nodes.get(index(node.parent)));
            let from_parent =
                parent.filter(|parent| siblings.len() >= SIBLINGS_MIN && parent.path_length > 0);
            let opened = from_parent.and_then(|parent| {
                let fd =
                    beneath::open(self.root, tree.path(parent), OFlags::PATH | OFlags::DIRECTORY).ok()?;
                Some((fd, parent.path_length.saturating_add(1)))
            });
            let (from, skipped) = match &opened {
                Some((fd, skipped)) => (fd.as_fd(), *skipped),
                None => (self.root, 0),
            };
            answers.extend(
                siblings.iter().map(|node| self.ask_one(from, tree.c_path_from(node, skipped), node)),
            );
        }
        answers
    }

    fn ask_one(&self, from: BorrowedFd<'_>, path: &CStr, node: &Node) -> Answer {
        let mut flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
        if path.is_empty() {
            flags |= AtFlags::EMPTY_PATH;
        }
        let wanted =
            StatxFlags::TYPE | StatxFlags::INO | StatxFlags::CTIME | StatxFlags::MTIME | StatxFlags::MNT_ID;
        match rustix::fs::statx(from, path, flags, wanted) {
            Ok(stat) if beneath::kind(&stat) != FileType::Directory => Answer::Gone,
            Ok(stat) => {
                let settled = node.standing == Standing::Settled && stat.stx_mnt_id == self.mount;
                if settled && Stamp::of(&stat) == node.stamp { Answer::Same } else { Answer::Changed }
            }
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Answer::Gone,
            Err(_) => Answer::Changed,
        }
    }

    fn read_all(&self, mut desk: Desk) -> Result<Desk, CensusError> {
        let mut listing = Listing::new();
        for _ in 0..ALONE_DIRECTORIES_MAX {
            let Some((number, path)) = desk.take() else { break };
            let page = self.read(&path, &mut listing);
            desk.put(number, &path, page);
        }
        if !desk.queue.is_empty() && desk.failure.is_none() {
            let shared = Mutex::new(desk);
            let more = Condvar::new();
            std::thread::scope(|scope| {
                scope.spawn(|| self.work(&shared, &more));
                self.work(&shared, &more);
            });
            desk = shared.into_inner().unwrap_or_else(PoisonError::into_inner);
        }
        match desk.failure.take() {
            Some(failure) => Err(failure),
            None => Ok(desk),
        }
    }

    fn work(&self, shared: &Mutex<Desk>, more: &Condvar) {
        let mut listing = Listing::new();
        let mut desk = lock(shared);
        loop {
            if desk.failure.is_some() {
                break;
            }
            let Some((number, path)) = desk.take() else {
                if desk.in_hand == 0 {
                    break;
                }
                desk = more.wait(desk).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            drop(desk);
            let page = self.read(&path, &mut listing);
            desk = lock(shared);
            desk.put(number, &path, page);
            more.notify_one();
        }
        drop(desk);
        more.notify_all();
    }

    /// Reads one directory. The stamp is taken before the listing: a change in between shows the next time.
    fn read(&self, path: &[u8], listing: &mut Listing) -> Result<Page, CensusError> {
        let failed = |source| CensusError::Read { path: shown(path), source };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let opened = if path.is_empty() {
            beneath::open(self.root, path, flags)
        } else {
            beneath::open_same_mount(self.root, path, flags)
        };
        let fd = match opened {
            Ok(fd) => fd,
            Err(Errno::XDEV) => return Ok(Page::closed(Standing::MountPoint)),
            Err(Errno::ACCESS | Errno::PERM) if !path.is_empty() => {
                return Ok(Page::closed(Standing::Unreadable));
            }
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) if !path.is_empty() => {
                return Ok(Page::closed(Standing::Gone));
            }
            Err(errno) => return Err(failed(errno)),
        };
        let stat = beneath::stat_fd(&fd).map_err(failed)?;
        let mut page =
            Page::closed(if stat.stx_ctime.tv_sec >= self.now_unix_seconds.saturating_sub(RACY_SECONDS) {
                Standing::Racy
            } else {
                Standing::Settled
            });
        page.stamp = Stamp::of(&stat);
        let foreign = path.split(|byte| *byte == b'/').any(|name| FOREIGN_DIRECTORIES.contains(&name));
        let (mut head, mut objects, mut refs) = (false, false, false);
        listing
            .read(fd.as_fd(), |name, kind| {
                let is_directory = kind == FileType::Directory;
                match name {
                    b"HEAD" => head = true,
                    b"objects" => objects = is_directory,
                    b"refs" => refs = is_directory,
                    _ => {}
                }
                page.take(path, name, is_directory, foreign, self.masks);
                Ok::<(), Errno>(())
            })
            .map_err(failed)?;
        page.bare_repository = head && objects && refs;
        if page.bare_repository {
            // Object files: many, and named by their digests.
            page.children.retain(|name| **name != *b"objects");
        }
        Ok(page)
    }
}

fn lock(shared: &Mutex<Desk>) -> MutexGuard<'_, Desk> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn shown(path: &[u8]) -> String {
    if path.is_empty() { ".".to_owned() } else { visible(path) }
}

impl Page {
    fn closed(standing: Standing) -> Self {
        Self {
            standing,
            stamp: Stamp::default(),
            bare_repository: false,
            findings: Vec::new(),
            children: Vec::new(),
        }
    }

    fn take(&mut self, parent: &[u8], name: &[u8], is_directory: bool, foreign: bool, masks: &MaskSet) {
        let finding = if masks.hides(parent, name, name_kind(is_directory)).is_some() {
            Finding::Masked
        } else if name == b".git" {
            if is_directory { Finding::GitDirectory } else { Finding::GitPointer }
        } else if is_directory {
            self.children.push(name.into());
            return;
        } else if let Some(why) = looks_secret_name(name).filter(|_| !foreign) {
            Finding::Resembles(Resemblance(why))
        } else {
            return;
        };
        self.findings.push((name.into(), finding));
    }
}

impl Desk {
    fn new(tree: Tree, answers: Vec<Answer>) -> Self {
        let count = tree.nodes.len();
        let mut desk = Self {
            queue: Vec::new(),
            in_hand: 0,
            known: HashMap::new(),
            reread: vec![false; count],
            confirmed: vec![false; count],
            findings: tree.nodes.iter().map(|node| node.findings.len()).sum(),
            failure: None,
            tree,
            answers,
        };
        for ((node, answer), number) in desk.tree.nodes.iter().zip(&desk.answers).zip(0_u32..) {
            let above_changed = desk.answers.get(index(node.parent)) == Some(&Answer::Changed);
            if number > 0 && above_changed {
                let name = crate::path::split(desk.tree.path(node)).1.to_vec();
                desk.known.insert((node.parent, name), number);
            }
            if *answer == Answer::Changed || number == 0 && *answer == Answer::Gone {
                desk.queue.push(number);
            }
        }
        desk
    }

    fn take(&mut self) -> Option<(u32, Vec<u8>)> {
        let number = self.queue.pop()?;
        let node = self.tree.nodes.get(index(number))?;
        self.in_hand = self.in_hand.saturating_add(1);
        Some((number, self.tree.path(node).to_vec()))
    }

    fn put(&mut self, number: u32, path: &[u8], page: Result<Page, CensusError>) {
        self.in_hand = self.in_hand.saturating_sub(1);
        if let Err(failure) = page.and_then(|page| self.enter(number, path, page)) {
            self.failure.get_or_insert(failure);
        }
    }

    fn enter(&mut self, number: u32, path: &[u8], page: Page) -> Result<(), CensusError> {
        for name in &page.children {
            self.enter_child(number, path, name)?;
        }
        let Some(node) = self.tree.nodes.get_mut(index(number)) else { return Ok(()) };
        self.findings = self.findings.saturating_sub(node.findings.len()).saturating_add(page.findings.len());
        node.stamp = page.stamp;
        node.standing = page.standing;
        node.bare_repository = page.bare_repository;
        node.findings = page.findings;
        if let Some(reread) = self.reread.get_mut(index(number)) {
            *reread = true;
        }
        if self.findings > FINDINGS_MAX {
            return Err(CensusError::TooManyFindings);
        }
        Ok(())
    }

    fn enter_child(&mut self, parent: u32, parent_path: &[u8], name: &[u8]) -> Result<(), CensusError> {
        let known =
            if self.known.is_empty() { None } else { self.known.get(&(parent, name.to_vec())).copied() };
        let child = match known {
            Some(child) => {
                if self.answers.get(index(child)) == Some(&Answer::Gone) {
                    self.queue.push(child);
                }
                index(child)
            }
            None => {
                if parent_path.len().saturating_add(name.len()) >= DIRECTORY_PATH_BYTES_MAX {
                    return Err(CensusError::TooDeep { path: shown(&joined(parent_path, name)) });
                }
                if self.tree.nodes.len() >= DIRECTORIES_MAX {
                    return Err(CensusError::TooManyDirectories);
                }
                let child = self.tree.push(parent, name);
                self.reread.push(false);
                self.confirmed.push(false);
                self.queue.extend(u32::try_from(child));
                child
            }
        };
        if let Some(confirmed) = self.confirmed.get_mut(child) {
            *confirmed = true;
        }
        Ok(())
    }

    /// The tree without what is gone, still each directory after the one that holds it.
    fn compact(self) -> Tree {
        let Self { tree, reread, confirmed, .. } = self;
        let mut kept = Tree::empty(tree.nodes.len(), tree.paths.len());
        let mut numbers: Vec<Option<u32>> = Vec::with_capacity(tree.nodes.len());
        let Tree { nodes, paths } = tree;
        for (number, node) in nodes.into_iter().enumerate() {
            let above = index(node.parent);
            let still_there = reread.get(above) != Some(&true) || confirmed.get(number) == Some(&true);
            let parent = if number == 0 { Some(0) } else { numbers.get(above).copied().flatten() };
            let parent = parent.filter(|_| number == 0 || (still_there && node.standing != Standing::Gone));
            let Some(parent) = parent else {
                numbers.push(None);
                continue;
            };
            let path = paths
                .get(node.path_start..node.path_start.saturating_add(node.path_length))
                .unwrap_or_default();
            let new = kept.push(parent, crate::path::split(path).1);
            if let Some(copy) = kept.nodes.get_mut(new) {
                copy.stamp = node.stamp;
                copy.standing = node.standing;
                copy.bare_repository = node.bare_repository;
                copy.findings = node.findings;
            }
            numbers.push(u32::try_from(new).ok());
        }
        kept
    }
}
