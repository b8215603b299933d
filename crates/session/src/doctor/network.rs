//! Whether the kernel redirects connections of a cell to its relay, by having it do so in namespaces of our own.

use super::attempt::{Refusal, Tried, in_child, trying, unless};
use super::ids::Ids;
use super::remedies::{ANY, of_container, remedy};
use super::surroundings::Surroundings;
use super::{Check, Need, tried};
use cofferdam_syscall::process::Namespaces;
use rustix::io::Errno;

/// Optional: without it, listeners at the granted ports take its place.
pub(super) fn check(around: &Surroundings, lacking: Option<&'static str>) -> Check {
    let ids = Ids::of_cell(around.uid, around.gid);
    let outcome = unless(lacking, || redirect(ids));
    let check = tried("network-redirect", "redirected connections (nf_tables)", outcome, |_| {
        let words = "load the modules; or go without: connections to ports that nothing is granted at then say no reason";
        let command = around.as_root("modprobe -a nf_tables nft_chain_nat nft_redir");
        [remedy(ANY, words, command)].into_iter().chain(of_container(around)).collect()
    });
    Check { need: Need::Optional, ..check }
}

/// Whether this kernel can; `None` if that can't be told, because namespaces can't be made.
pub(crate) fn redirects(uid: u32, gid: u32) -> Option<bool> {
    match redirect(Ids::of_cell(uid, gid)) {
        Ok(_) => Some(true),
        Err(Refusal::Kernel { act, errno }) if act == REDIRECTING => {
            let errno = Errno::from_raw_os_error(errno);
            // No such protocol, no such part of it, no such kind of table.
            let lacking = [
                Errno::PROTONOSUPPORT,
                Errno::AFNOSUPPORT,
                Errno::OPNOTSUPP,
                Errno::NOENT,
                Errno::INVAL,
                Errno::PERM,
            ];
            lacking.contains(&errno).then_some(false)
        }
        Err(_) => None,
    }
}

const REDIRECTING: &str = "redirect connections";

fn redirect(ids: Ids) -> Tried {
    in_child(Namespaces::CELL, Some(ids), || {
        cofferdam_cell::network::try_redirect().map_err(trying(REDIRECTING))?;
        Ok("made routes to loopback and a table that redirects to the relay".into())
    })
}
