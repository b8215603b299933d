//! A repository's request for authority, and the owner's word on it.
//!
//! A `cofferdam.toml` at the top of a workspace counts for nothing until the owner accepted exactly its bytes, and
//! again for nothing as soon as one of them changes. It is read on the host, before the start, never from a
//! session. What it would widen is for the resolver to say.

use crate::context::Context;
use crate::error::{Error, ErrorKind};
use crate::policies::{hex_digest, misunderstood, read_bounded, shown};
use crate::terminal::visible_within;
use cofferdam_ledger::{Ledger, TrustRecord};
use cofferdam_policy::event::UnixNanos;
use cofferdam_policy::wish::{Wish, WishError};
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use serde::Serialize;
use std::path::Path;

/// What a request is called.
pub const REQUEST_FILE: &str = "cofferdam.toml";

/// What a repository asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The file, byte for byte.
    pub bytes: Vec<u8>,
    /// Its SHA-256, in hexadecimal.
    pub digest: String,
    /// What it asks for.
    pub wish: Wish,
}

/// What the owner's word is on a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "standing")]
pub enum Standing {
    /// There is none.
    NoRequest,
    /// Exactly these bytes were accepted.
    Accepted,
    /// Other bytes were accepted; these count for nothing.
    Changed {
        /// Digest of what was accepted.
        accepted_digest: String,
    },
    /// It counts for nothing.
    NotAccepted,
}

/// The request of the repository at `directory` (its canonical path), if there is one.
///
/// # Errors
/// [`ErrorKind::Policy`] for one that is a link, no regular file, too long, or not understood to its last key.
pub fn read_request(directory: &Path) -> Result<Option<Request>, Error> {
    let failed = |errno: Errno| cannot(directory).because(errno).hint("check that you can read it");
    let above = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let above = rustix::fs::open(directory, above, Mode::empty()).map_err(failed)?;
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let staying = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let file = match rustix::fs::openat2(&above, REQUEST_FILE, flags, Mode::empty(), staying) {
        Ok(file) => file,
        Err(Errno::NOENT) => return Ok(None),
        // A link could name anything of the owner's, whose text would then be shown as the repository's.
        Err(Errno::LOOP) => return Err(irregular(directory, "it is a symbolic link")),
        Err(Errno::NXIO) => return Err(irregular(directory, "it is not a regular file")),
        Err(errno) => return Err(failed(errno)),
    };
    let found = rustix::fs::fstat(&file).map_err(failed)?;
    if FileType::from_raw_mode(found.st_mode) != FileType::RegularFile {
        return Err(irregular(directory, "it is not a regular file"));
    }
    let bytes = read_bounded(&file).map_err(failed)?;
    understand(bytes).map(Some).map_err(|(bytes, error)| {
        misunderstood(cannot(directory), &bytes, error)
            .hint("correct it, or remove it: a request counts only if all of it is understood")
    })
}

fn understand(bytes: Vec<u8>) -> Result<Request, (Vec<u8>, WishError)> {
    match Wish::parse_request(&bytes) {
        Ok(wish) => Ok(Request { digest: hex_digest(&bytes), bytes, wish }),
        Err(error) => Err((bytes, error)),
    }
}

fn cannot(directory: &Path) -> Error {
    Error::new(ErrorKind::Policy, format!("cannot take the request {}", shown(&directory.join(REQUEST_FILE))))
}

fn irregular(directory: &Path, why: &str) -> Error {
    cannot(directory).since(why).hint("put a regular file there, or remove it")
}

/// The owner's word on `request` for exactly this directory.
///
/// # Errors
/// [`ErrorKind::Ledger`]: without the record nothing counts as accepted.
pub fn standing(ledger: &Ledger, directory: &Path, request: Option<&Request>) -> Result<Standing, Error> {
    let Some(request) = request else { return Ok(Standing::NoRequest) };
    Ok(match ledger.trusted(directory)? {
        None => Standing::NotAccepted,
        Some(accepted)
            if accepted.request_digest == request.digest && accepted.body.as_bytes() == request.bytes =>
        {
            Standing::Accepted
        }
        Some(accepted) => Standing::Changed { accepted_digest: accepted.request_digest },
    })
}

/// Records that the owner accepts this request for this directory; on disk when it returns. What is accepted is the
/// value that was shown, whatever the file holds by now.
///
/// # Errors
/// [`ErrorKind::Ledger`]; then nothing is accepted.
pub fn accept(ledger: &Ledger, directory: &Path, request: &Request, at: UnixNanos) -> Result<(), Error> {
    let body = String::from_utf8(request.bytes.clone())
        .map_err(|error| cannot(directory).because(error).hint("correct it"))?;
    let accepted = TrustRecord { request_digest: request.digest.clone(), accepted_at: at, body };
    Ok(ledger.trust(directory, &accepted)?)
}

/// Takes the owner's word back; returns whether there was any. On disk when it returns.
///
/// # Errors
/// [`ErrorKind::Ledger`]; then nothing has changed.
pub fn withdraw(ledger: &Ledger, directory: &Path) -> Result<bool, Error> {
    Ok(ledger.untrust(directory)?)
}

impl Request {
    /// Its own entries, in the words of the policy file, but for those that an item of `widened` stands for: masks and
    /// denials, sets that bring many items, and what brings nothing today and may tomorrow. They are a stranger's, and
    /// shown harmlessly.
    #[must_use]
    pub fn remaining(&self, context: &Context, directory: &Path, widened: &[String]) -> Vec<String> {
        let told = |begins: &str| widened.iter().any(|item| item.starts_with(begins));
        let is_told = |(what, entry): &(&str, String)| match *what {
            "workspace" | "mount" => {
                let (source, rest) = entry.split_once(':').unwrap_or((entry, ""));
                let target = rest.split(':').next().filter(|target| target.starts_with(['/', '~']));
                std::fs::canonicalize(context.expand(source, directory)).is_ok_and(|real| {
                    let target = target.map_or_else(|| real.clone(), |text| context.expand(text, directory));
                    let place = |path: &str| match *what {
                        "mount" => format!("mount {path} at {} (", target.display()),
                        _ => format!("workspace {path} ("),
                    };
                    // As an item names it: in quotes where there is a blank in it.
                    told(&place(&real.display().to_string())) || told(&place(&format!("{real:?}")))
                })
            }
            "environment" => {
                let key = entry.split('=').next().unwrap_or(entry);
                told(&format!("environment {key}=")) || told(&format!("environment {key} "))
            }
            // Whole: the beginning of one grant's line is another, wider grant's.
            "grant" => widened.iter().any(|item| {
                let rest = item.strip_prefix("grant ").and_then(|item| item.strip_prefix(entry.as_str()));
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(" (weaker"))
            }),
            "profile" => told(&format!("profile {entry}:")),
            "limit" => told(&format!("limit {}:", entry.split('=').next().unwrap_or(entry))),
            _ => false,
        };
        let entries = entries(&self.wish);
        entries.iter().filter(|entry| !is_told(entry)).map(|(what, entry)| line(what, entry)).collect()
    }
}

fn line(what: &str, entry: &str) -> String {
    format!("{what} {}", visible_within(entry.as_bytes(), usize::from(u16::MAX)))
}

/// What a wish asks for and forbids: which list an entry stands in, and the entry.
fn entries(wish: &Wish) -> Vec<(&'static str, String)> {
    let Wish {
        workspaces,
        mounts,
        environment,
        masks,
        instructions,
        agent_homes,
        tools,
        profiles,
        limits,
        runs_later,
        checkpoint,
        grants,
        sets,
        credentials,
        publish,
        on_handle_leak,
        notify: _,
        deny,
    } = wish;
    let lists: [(&str, &[String]); 14] = [
        ("workspace", workspaces),
        ("mount", mounts),
        ("environment", environment),
        ("agent home", agent_homes),
        ("tools", tools),
        ("profile", profiles),
        ("instructions of", instructions),
        ("mask", masks),
        ("set of grants", sets),
        ("deny path", &deny.paths),
        ("deny environment", &deny.environment),
        ("deny agent home", &deny.agent_homes),
        ("deny tools", &deny.tools),
        ("deny profile", &deny.profiles),
    ];
    let of_lists = lists.iter().flat_map(|(what, list)| list.iter().map(|entry| (*what, entry.clone())));
    let limits = limits.iter().map(|limit| ("limit", limit.to_string()));
    let runs_later = runs_later.iter().map(|pattern| ("runs later", pattern.to_string()));
    let every = checkpoint.every_seconds.map(|every| ("checkpoints", format!("every {every} s")));
    let keep = checkpoint.keep.map(|keep| ("checkpoints", format!("kept: {keep}")));
    let grants = grants.iter().map(|grant| ("grant", grant.to_string()));
    // A request has none; a policy's are told by its authority.
    let credentials = credentials.iter().map(|credential| ("credential", credential.name.to_string()));
    let on_leak = on_handle_leak.map(|rule| ("on handle leak", rule.name().to_owned()));
    let publish = publish.iter().map(|port| ("port in your browser", port.get().to_string()));
    let denied = deny.hosts.iter().map(|pattern| ("deny host", pattern.to_string()));
    let network = grants.chain(credentials).chain(publish).chain(on_leak).chain(denied);
    of_lists.chain(limits).chain(runs_later).chain(every).chain(keep).chain(network).collect()
}

#[cfg(test)]
mod fuzz;

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    fn ledger(directory: &Path) -> Ledger {
        let place = directory.join("ledger");
        fs::create_dir(&place).unwrap();
        fs::set_permissions(&place, fs::Permissions::from_mode(0o700)).unwrap();
        Ledger::open(&place).unwrap()
    }

    fn request(directory: &Path, text: &str) -> Request {
        fs::write(directory.join(REQUEST_FILE), text).unwrap();
        read_request(directory).unwrap().unwrap()
    }

    #[test]
    fn a_request_counts_only_for_the_bytes_that_were_accepted() {
        let scene = tempfile::tempdir().unwrap();
        let (directory, ledger) = (scene.path(), ledger(scene.path()));
        assert_eq!(standing(&ledger, directory, None).unwrap(), Standing::NoRequest);
        let first = request(directory, "tools = [\"cargo\"]\n");
        assert_eq!(standing(&ledger, directory, Some(&first)).unwrap(), Standing::NotAccepted);
        accept(&ledger, directory, &first, UnixNanos(1)).unwrap();
        assert_eq!(standing(&ledger, directory, Some(&first)).unwrap(), Standing::Accepted);
        let second = request(directory, "tools = [\"cargo\"] \n");
        let changed = Standing::Changed { accepted_digest: first.digest.clone() };
        assert_eq!(standing(&ledger, directory, Some(&second)).unwrap(), changed);
        assert_eq!(standing(&ledger, &directory.join("sub"), Some(&first)).unwrap(), Standing::NotAccepted);
        assert!(withdraw(&ledger, directory).unwrap());
        assert!(!withdraw(&ledger, directory).unwrap());
        assert_eq!(standing(&ledger, directory, Some(&first)).unwrap(), Standing::NotAccepted);
    }

    #[test]
    fn a_request_that_is_exchanged_between_showing_and_accepting_is_not_accepted() {
        let scene = tempfile::tempdir().unwrap();
        let (directory, ledger) = (scene.path(), ledger(scene.path()));
        let shown = request(directory, "tools = [\"go\"]\n");
        fs::write(directory.join(REQUEST_FILE), "mounts = [\"~/.ssh\"]\n").unwrap();
        accept(&ledger, directory, &shown, UnixNanos(1)).unwrap();
        let now = read_request(directory).unwrap().unwrap();
        assert!(matches!(standing(&ledger, directory, Some(&now)).unwrap(), Standing::Changed { .. }));
    }

    #[test]
    fn a_link_a_fifo_and_a_directory_are_no_requests() {
        let scene = tempfile::tempdir().unwrap();
        let path = scene.path().join(REQUEST_FILE);
        assert_eq!(read_request(scene.path()).unwrap(), None);
        fs::write(scene.path().join("other.toml"), "").unwrap();
        symlink("other.toml", &path).unwrap();
        assert!(read_request(scene.path()).unwrap_err().why().contains("symbolic link"));
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(read_request(scene.path()).unwrap_err().why().contains("not a regular file"));
        fs::remove_dir(&path).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, &path, FileType::Fifo, Mode::RUSR, 0).unwrap();
        assert!(read_request(scene.path()).unwrap_err().why().contains("not a regular file"));
    }

    #[test]
    fn a_request_that_is_not_wholly_understood_is_refused_in_one_harmless_line() {
        let scene = tempfile::tempdir().unwrap();
        let credential = "[credential.x]\nsecret = \"x\"\nplace = \"basic\"";
        for text in [
            "grants = []",
            "allow = [\"a b\\u001b[2J\"]",
            credential,
            "tools = [",
            "\"\\u001b[2J\" = 1",
            "[limits]\nmemory = \"\\u001b[2J\"",
        ] {
            fs::write(scene.path().join(REQUEST_FILE), text).unwrap();
            let error = read_request(scene.path()).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Policy);
            assert!(!error.why().chars().any(char::is_control), "{}", error.why());
        }
        fs::write(scene.path().join(REQUEST_FILE), b"\xff").unwrap();
        assert!(read_request(scene.path()).unwrap_err().why().contains("UTF-8"));
    }

    #[test]
    fn entries_are_listed_to_the_last_and_cannot_move_the_cursor() {
        let text = "workspaces = [\"../a\"]\nmounts = [\"~/x:/y\\u001b[2J\"]\ntools = [\"go\"]\nprofiles = [\"chromium\"]\n\
                    [limits]\nprocesses = 500\n[review]\nruns-later = [\"ops/\"]\n[deny]\npaths = [\"~/p\"]\nhosts = [\"*.a.example\"]\n";
        let text = format!("allow = [\"npm\", \"POST b.example/x\"]\non-handle-leak = \"stop\"\n{text}");
        let entries = entries(&Wish::parse(text.as_bytes()).unwrap());
        let lines: Vec<String> = entries.iter().map(|(what, entry)| line(what, entry)).collect();
        let expected = [
            "workspace ../a",
            "tools go",
            "profile chromium",
            "deny path ~/p",
            "limit processes=500",
            "runs later ops/",
            "set of grants npm",
            "grant POST b.example:443/x",
            "on handle leak stop",
            "deny host *.a.example",
        ];
        assert!(expected.iter().all(|line| lines.iter().any(|found| found == line)), "{lines:?}");
        assert_eq!(lines.len(), 11);
        assert!(lines.iter().all(|line| !line.chars().any(char::is_control)));
    }
}
