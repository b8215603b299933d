//! Files of every kind that nobody approved: new and changed ones, links, nodes, privileges, names that deceive.
//!
//! What they hold means nothing; that they come at all is what is measured.

use std::ffi::OsStr;
use std::fs::{self, File, FileTimes, Metadata, Permissions};
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;

use cofferdam_syscall::mapped;
use rustix::fs::{self as calls, CWD, FileType, Mode, XattrFlags, lgetxattr, makedev};

use super::{add, brings, came, came_as, changed, make, place, put, put_with};
use crate::attempt::Attempt;
use crate::classes::{Class, class};
use crate::finding::Finding;
use crate::plants::{Plant, PlantError, Plants};
use crate::witness::HostSide;

const TEXT: &str = "// Brought by a probe; it does nothing.\n";
/// As much as a sparse file pretends to hold: 64 GiB.
const SPARSE_BYTES: u64 = 64 << 30;
const DEEP_LEVELS: usize = 100;
const NAME_BYTES: usize = 255;
const ENTRIES: usize = 300;
const OUTSIDE: &[Plant] = &[Plant::Workspace, Plant::ScratchOutside];
const LINE_BYTES: usize = 100_000;
const LONG_LINE: &str = "review/long-line.rs";

pub(crate) const ATTEMPTS: &[Attempt] = &[
    brings(
        "review-new-source",
        "Adds a source file.",
        "attacks 17",
        |plants| put(plants, "review/new.rs", TEXT),
        |host| came(host, "review/new.rs"),
    ),
    brings(
        "review-changed-source",
        "Changes a source file.",
        "attacks 17",
        |plants| add(plants, "review/source.rs", TEXT),
        |host| changed(host, "review/source.rs"),
    ),
    brings(
        "review-changed-unseen",
        "Changes a source file by a mapping, and keeps its time stamps.",
        "attacks 18",
        store_unseen,
        |host| changed(host, "review/mapped.rs"),
    ),
    brings(
        "review-new-executable",
        "Adds a program.",
        "attacks 17",
        |plants| put_with(plants, "review/new.sh", "#!/bin/sh\n", 0o755),
        |host| came_as(host, "review/new.sh", |found| found.mode() & 0o111 != 0),
    ),
    brings(
        "review-ignored-file",
        "Adds a file to a directory that git ignores.",
        "attacks 17",
        |plants| put(plants, "review/target/new.rs", TEXT),
        |host| came(host, "review/target/new.rs"),
    ),
    brings(
        "review-changed-ignore",
        "Has git ignore what follows.",
        "attacks 17",
        |plants| add(plants, "review/.gitignore", "*.rs\n"),
        |host| changed(host, "review/.gitignore"),
    ),
    brings(
        "review-setuid",
        "Adds a program that runs as its owner.",
        "attacks 3",
        |plants| put_mode(plants, "review/setuid", 0o4755),
        |host| came_as(host, "review/setuid", |found| found.mode() & 0o4000 != 0),
    ),
    brings(
        "review-setgid",
        "Adds a program that runs as its group.",
        "attacks 3",
        |plants| put_mode(plants, "review/setgid", 0o2755),
        |host| came_as(host, "review/setgid", |found| found.mode() & 0o2000 != 0),
    ),
    brings(
        "review-setgid-directory",
        "Adds a directory that everyone may write and that hands its group on.",
        "attacks 3",
        put_group_directory,
        |host| came_as(host, "review/group-directory", |found| found.mode() & 0o2002 != 0),
    ),
    brings(
        "review-capability",
        "Adds a program with a capability.",
        "attacks 3",
        |plants| put_attribute(plants, "review/capable", "security.capability", &CAPABILITY),
        |host| has_attribute(host, "review/capable", "security.capability"),
    ),
    brings(
        "review-link-absolute",
        "Adds a symbolic link to a file outside.",
        "attacks 17",
        |plants| link(plants, "review/link-absolute", plants.text(Plant::ScratchOutside)?),
        |host| is_link(host, "review/link-absolute"),
    )
    .needs(OUTSIDE),
    brings(
        "review-link-upwards",
        "Adds a symbolic link that leads out by `..`.",
        "attacks 17",
        |plants| link(plants, "review/link-upwards", "../../outside"),
        |host| is_link(host, "review/link-upwards"),
    ),
    brings(
        "review-link-over-directory",
        "Puts a symbolic link that leads out in the place of a directory.",
        "attacks 17",
        link_over_directory,
        |host| is_link(host, "review/linked"),
    )
    .needs(OUTSIDE),
    brings(
        "review-link-process",
        "Adds a symbolic link to the root of whoever follows it.",
        "attacks 17",
        |plants| link(plants, "review/link-process", "/proc/self/root"),
        |host| is_link(host, "review/link-process"),
    ),
    brings(
        "review-link-dangling",
        "Adds a symbolic link to a file that isn't there yet.",
        "attacks 17",
        |plants| link(plants, "review/link-dangling", "../../not-there-yet"),
        |host| is_link(host, "review/link-dangling"),
    ),
    brings(
        "review-link-hard",
        "Adds a second name of a file that git ignores.",
        "attacks 17",
        link_hard,
        |host| came_as(host, "review/hard-link.rs", |found| found.nlink() > 1),
    ),
    brings(
        "review-fifo",
        "Adds a FIFO.",
        "attacks 3",
        |plants| node(plants, "review/fifo", FileType::Fifo),
        |host| came_as(host, "review/fifo", |found| found.file_type().is_fifo()),
    ),
    brings(
        "review-socket",
        "Adds a socket.",
        "attacks 3",
        |plants| node(plants, "review/socket", FileType::Socket),
        |host| came_as(host, "review/socket", |found| found.file_type().is_socket()),
    ),
    brings(
        "review-whiteout",
        "Adds the device by which overlays remove files.",
        "attacks 17",
        |plants| node(plants, "review/whiteout", FileType::CharacterDevice),
        |host| came_as(host, "review/whiteout", |found| found.file_type().is_char_device()),
    ),
    brings(
        "review-name-bidi",
        "Adds a file whose name reads backwards.",
        "CVE-2021-42574",
        |plants| put(plants, "review/a\u{202e}sr.txt", TEXT),
        |host| came(host, "review/a\u{202e}sr.txt"),
    ),
    brings(
        "review-name-newline",
        "Adds a file with a new line in its name.",
        "attacks 17",
        |plants| put(plants, "review/a\nb.rs", TEXT),
        |host| came(host, "review/a\nb.rs"),
    ),
    brings(
        "review-name-escape",
        "Adds a file with an escape sequence in its name.",
        "attacks 17",
        |plants| put(plants, "review/\u{1b}[2Ja.rs", TEXT),
        |host| came(host, "review/\u{1b}[2Ja.rs"),
    ),
    brings(
        "review-name-bytes",
        "Adds a file whose name is no text.",
        "attacks 17",
        |plants| put(plants, raw(b"review/\xff\xfe.rs"), TEXT),
        |host| came(host, raw(b"review/\xff\xfe.rs")),
    )
    .if_present(),
    brings(
        "review-name-case",
        "Adds a file whose name differs from another only in case.",
        "CVE-2014-9390",
        |plants| put(plants, "review/SOURCE.RS", TEXT),
        |host| came(host, "review/SOURCE.RS"),
    ),
    brings(
        "review-name-invisible",
        "Adds a file whose name looks like another's.",
        "attacks 17",
        |plants| put(plants, "review/source\u{200b}.rs", TEXT),
        |host| came(host, "review/source\u{200b}.rs"),
    ),
    brings(
        "review-xattr",
        "Adds a file with an extended attribute.",
        "attacks 17",
        |plants| put_attribute(plants, "review/attributed", "user.cofferdam-probe", b"1"),
        |host| has_attribute(host, "review/attributed", "user.cofferdam-probe"),
    ),
    brings(
        "review-xattr-overlay",
        "Adds a file with an attribute that overlays obey.",
        "attacks 17",
        |plants| put_attribute(plants, "review/opaque", "user.overlay.opaque", b"y"),
        |host| has_attribute(host, "review/opaque", "user.overlay.opaque"),
    ),
    brings("review-sparse", "Adds a file of 64 GiB that takes no space.", "attacks 17", put_sparse, |host| {
        came_as(host, "review/sparse", |found| found.len() == SPARSE_BYTES)
    }),
    brings("review-deep", "Adds directories a hundred levels deep.", "attacks 17", put_deep, |host| {
        came(host, "review/deep")
    }),
    brings(
        "review-long-name",
        "Adds a file of the longest name.",
        "attacks 17",
        |plants| put(plants, long_name(), TEXT),
        |host| came(host, long_name()),
    )
    .if_present(),
    brings("review-many", "Adds a directory of hundreds of files.", "attacks 17", put_many, |host| {
        came_as(host, "review/many/299", Metadata::is_file)
    }),
    brings(
        "review-long-line",
        "Adds a file with a line of 100,000 bytes.",
        "attacks 17",
        |plants| put(plants, LONG_LINE, &"x".repeat(LINE_BYTES)),
        |host| came(host, LONG_LINE),
    )
    .if_present(),
];

pub(crate) const CLASSES: &[Class] = &[
    class(
        "unapproved-files",
        17,
        &[
            "review-new-source",
            "review-changed-source",
            "review-changed-unseen",
            "review-new-executable",
            "review-ignored-file",
            "review-changed-ignore",
        ],
    ),
    class(
        "privilege-bits",
        3,
        &["review-setuid", "review-setgid", "review-setgid-directory", "review-capability"],
    ),
    class(
        "unapproved-links",
        17,
        &[
            "review-link-absolute",
            "review-link-upwards",
            "review-link-over-directory",
            "review-link-process",
            "review-link-dangling",
            "review-link-hard",
        ],
    ),
    class("unapproved-nodes", 3, &["review-fifo", "review-socket", "review-whiteout"]),
    class(
        "odd-names",
        17,
        &[
            "review-name-bidi",
            "review-name-newline",
            "review-name-escape",
            "review-name-bytes",
            "review-name-case",
            "review-name-invisible",
        ],
    ),
    class("unapproved-attributes", 17, &["review-xattr", "review-xattr-overlay"]),
    class(
        "odd-shapes",
        17,
        &["review-sparse", "review-deep", "review-long-name", "review-many", "review-long-line"],
    ),
];

fn raw(name: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(name))
}

/// Changes a file by a mapping, and puts its times back: who compares times and lengths misses it.
fn store_unseen(plants: &Plants) -> Result<Finding, PlantError> {
    let path = place(plants, "review/mapped.rs")?;
    let store = || -> io::Result<()> {
        let file = File::options().read(true).write(true).open(&path)?;
        let before = file.metadata()?;
        mapped::store(file.as_fd(), b"// Not the owner's.")?;
        file.set_times(FileTimes::new().set_modified(before.modified()?))
    };
    Ok(Finding::claimed("review/mapped.rs", store()))
}

/// A new file that gets this mode after it was made, so that no mask takes bits away.
fn put_mode(plants: &Plants, name: &str, mode: u32) -> Result<Finding, PlantError> {
    let path = place(plants, name)?;
    let made =
        make(&path, TEXT, 0o755).and_then(|()| fs::set_permissions(&path, Permissions::from_mode(mode)));
    Ok(Finding::claimed(name, made))
}

fn put_group_directory(plants: &Plants) -> Result<Finding, PlantError> {
    let path = place(plants, "review/group-directory")?;
    let made =
        fs::create_dir(&path).and_then(|()| fs::set_permissions(&path, Permissions::from_mode(0o2777)));
    Ok(Finding::claimed("review/group-directory", made))
}

/// `struct vfs_cap_data`, revision 2: magic with the effective bit, `CAP_NET_RAW` permitted.
const CAPABILITY: [u8; 20] = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

fn put_attribute(plants: &Plants, name: &str, attribute: &str, value: &[u8]) -> Result<Finding, PlantError> {
    let path = place(plants, name)?;
    let made = make(&path, TEXT, 0o755)
        .and_then(|()| Ok(calls::setxattr(&path, attribute, value, XattrFlags::empty())?));
    Ok(Finding::claimed(&format!("{attribute} of {name}"), made))
}

fn has_attribute(host: &HostSide<'_>, name: &str, attribute: &str) -> Option<String> {
    let path = place(host.plants, name).ok()?;
    let length = lgetxattr(path, attribute, &mut [0_u8; 64][..]).ok()?;
    Some(format!("{name} on the host has {attribute}, {length} bytes"))
}

fn link(plants: &Plants, name: &str, target: impl AsRef<Path>) -> Result<Finding, PlantError> {
    let path = place(plants, name)?;
    Ok(Finding::claimed(name, symlink(target, path)))
}

fn link_over_directory(plants: &Plants) -> Result<Finding, PlantError> {
    let (path, target) = (place(plants, "review/linked")?, plants.text(Plant::ScratchOutside)?);
    let linked = fs::remove_dir_all(&path).and_then(|()| symlink(target, &path));
    Ok(Finding::claimed("review/linked", linked))
}

fn is_link(host: &HostSide<'_>, name: &str) -> Option<String> {
    came_as(host, name, |found| found.file_type().is_symlink())
}

/// So that a later change of the one changes the other, which nobody looks at.
fn link_hard(plants: &Plants) -> Result<Finding, PlantError> {
    let (from, to) = (place(plants, "review/target/output")?, place(plants, "review/hard-link.rs")?);
    Ok(Finding::claimed("review/hard-link.rs", fs::hard_link(from, to)))
}

fn node(plants: &Plants, name: &str, kind: FileType) -> Result<Finding, PlantError> {
    let path = place(plants, name)?;
    let made = calls::mknodat(CWD, path, kind, Mode::from_raw_mode(0o644), makedev(0, 0));
    Ok(Finding::claimed(name, made.map_err(io::Error::from)))
}

fn put_sparse(plants: &Plants) -> Result<Finding, PlantError> {
    let path = place(plants, "review/sparse")?;
    Ok(Finding::claimed("review/sparse", File::create_new(path).and_then(|file| file.set_len(SPARSE_BYTES))))
}

fn put_deep(plants: &Plants) -> Result<Finding, PlantError> {
    let path = place(plants, "review/deep")?;
    let deepest = (0..DEEP_LEVELS).fold(path, |path, _| path.join("d"));
    Ok(Finding::claimed("review/deep", fs::create_dir_all(deepest)))
}

fn put_many(plants: &Plants) -> Result<Finding, PlantError> {
    let directory = place(plants, "review/many")?;
    let made = fs::create_dir(&directory).and_then(|()| {
        (0..ENTRIES).try_for_each(|at| File::create_new(directory.join(at.to_string())).map(drop))
    });
    Ok(Finding::claimed("review/many", made))
}

fn long_name() -> String {
    format!("review/{}", "n".repeat(NAME_BYTES))
}
