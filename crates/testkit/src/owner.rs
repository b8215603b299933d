//! Whose session a test runs: root's, or an ordinary user's under a uid that nobody else has.
//!
//! It creates no account: the uid has no name, which a program has to cope with anyway.

use std::fs;
use std::ops::RangeInclusive;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};

/// Uids for ordinary owners. systemd hands out 60001–60513 to homed and 61184 upwards to dynamic users
/// (systemd's `docs/UIDS-GIDS.md`); what lies between is given out by nobody.
const UNUSED_UIDS: RangeInclusive<u32> = 61_000..=61_183;

/// Whose the home, the files and the processes of a test are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// uid 0. When the tests run as somebody else, asking for it fails the test with the remedy.
    Root,
    /// A user without privileges: an unused uid of the home's own, or whoever runs the tests if that is not root.
    Ordinary,
}

impl Owner {
    /// Whoever runs the tests.
    #[must_use]
    pub fn current() -> Self {
        if rustix::process::geteuid().is_root() { Self::Root } else { Self::Ordinary }
    }
}

/// A uid, and the claim on it, which ends with the process that made it however that ends.
#[derive(Debug)]
pub(crate) struct Lease {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    _claim: Option<UnixListener>,
}

impl Lease {
    #[track_caller]
    pub(crate) fn of(owner: Owner) -> Self {
        let me = rustix::process::geteuid();
        match owner {
            Owner::Root => {
                assert!(
                    me.is_root(),
                    "this half of the tests needs root, and you are uid {}: run them as root, for instance `sudo make test`",
                    me.as_raw()
                );
                Self { uid: 0, gid: 0, _claim: None }
            }
            Owner::Ordinary if me.is_root() => Self::unused(),
            Owner::Ordinary => {
                Self { uid: me.as_raw(), gid: rustix::process::getegid().as_raw(), _claim: None }
            }
        }
    }

    /// The claim is an abstract socket: taken by one process at a time, and gone with it.
    #[track_caller]
    fn unused() -> Self {
        let accounts = fs::read_to_string("/etc/passwd").unwrap_or_default();
        for uid in UNUSED_UIDS {
            let name = format!("cofferdam-testkit-uid-{uid}");
            let Ok(address) = SocketAddr::from_abstract_name(name) else { continue };
            let Ok(claim) = UnixListener::bind_addr(&address) else { continue };
            let named = accounts.lines().any(|line| line.split(':').nth(2) == Some(&uid.to_string()));
            if !named && !crate::census::has_processes(uid) {
                return Self { uid, gid: uid, _claim: Some(claim) };
            }
        }
        panic!(
            "every uid of {UNUSED_UIDS:?} is in use: end what an earlier run of the tests left, `ps -eo uid,pid,args`"
        )
    }
}
