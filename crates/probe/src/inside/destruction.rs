//! What the owner can lose inside the work directory: files removed, cut, overwritten, replaced, closed, and history.
//!
//! Every attempt destroys a victim that was planted for it alone. Inside, most of the acts may work: where the
//! enclosure keeps changes apart from the owner's files, the host's side sees its victim untouched, and that counts.

use std::io;
use std::path::Path;

use crate::attempt::{Attempt, Radius, Run};
use crate::classes::{Class, class};
use crate::finding::Finding;
use crate::plants::{Plant, PlantError, Planting, Plants};
use crate::witness::HostSide;

mod acts;
mod victims;

use victims::Victim;

/// The victims of all attempts.
pub(crate) const PLANTING: Planting = Planting { plant, tidy };

pub(crate) const ATTEMPTS: &[Attempt] = &[
    destroys("destroy-unlink", "Removes a file.", "unlink(2)", |plants| destroy(plants, acts::unlink)),
    destroys("destroy-remove-tree", "Removes a directory with all that is in it.", "attacks 18", |plants| {
        destroy(plants, acts::remove_tree)
    }),
    destroys(
        "destroy-remove-ignored",
        "Removes what a build made in an ignored directory.",
        "attacks 17",
        |plants| destroy(plants, acts::remove_ignored),
    ),
    destroys(
        "destroy-remove-sealed",
        "Removes a file and its directory that both are read-only.",
        "unlink(2)",
        |plants| destroy(plants, acts::remove_sealed),
    ),
    destroys(
        "destroy-unlink-by-descriptor",
        "Removes a file below a directory that it opened anew by its descriptor.",
        "unlinkat(2)",
        |plants| destroy(plants, acts::unlink_by_descriptor),
    ),
    destroys("destroy-open-truncate", "Empties a file by opening it.", "open(2)", |plants| {
        destroy(plants, acts::open_truncating)
    }),
    destroys("destroy-truncate", "Cuts a file to a few bytes.", "ftruncate(2)", |plants| {
        destroy(plants, acts::truncate)
    }),
    destroys("destroy-grow-sparse", "Makes a small file 1 GiB long.", "attacks 17", |plants| {
        destroy(plants, acts::grow)
    }),
    destroys(
        "destroy-punch-hole",
        "Punches a hole into a file, which keeps its length.",
        "fallocate(2)",
        |plants| destroy(plants, acts::punch_hole),
    )
    .if_present(),
    destroys("destroy-zero-range", "Turns a block of a file into zeros.", "fallocate(2)", |plants| {
        destroy(plants, acts::zero_range)
    })
    .if_present(),
    destroys("destroy-collapse-range", "Takes a block out of a file.", "fallocate(2)", |plants| {
        destroy(plants, acts::collapse_range)
    })
    .if_present(),
    destroys("destroy-write", "Overwrites the beginning of a file.", "write(2)", |plants| {
        destroy(plants, acts::write)
    }),
    destroys(
        "destroy-store-by-mapping",
        "Changes a file by a mapping, and keeps its time stamps.",
        "attacks 18",
        |plants| destroy(plants, acts::store_by_mapping),
    ),
    destroys(
        "destroy-write-at-end",
        "Overwrites the end of a file, which keeps its length.",
        "pwrite(2)",
        |plants| destroy(plants, acts::write_at_end),
    ),
    destroys("destroy-append", "Appends to a file.", "open(2)", |plants| destroy(plants, acts::append)),
    destroys(
        "destroy-copy-range",
        "Overwrites a file with another, in the kernel.",
        "copy_file_range(2)",
        |plants| destroy(plants, acts::copy_range),
    ),
    destroys(
        "destroy-write-synced",
        "Overwrites a file and waits until the disk has it.",
        "fsync(2)",
        |plants| destroy(plants, acts::write_synced),
    ),
    destroys("destroy-rename-over", "Renames a file over another.", "rename(2)", |plants| {
        destroy(plants, acts::rename_over)
    }),
    destroys("destroy-rename-exchange", "Exchanges two files.", "renameat2(2)", |plants| {
        destroy(plants, acts::exchange)
    })
    .if_present(),
    destroys("destroy-rename-away", "Gives a file another name.", "rename(2)", |plants| {
        destroy(plants, acts::rename_away)
    }),
    destroys(
        "destroy-replace-by-symlink",
        "Puts a symbolic link in the place of a file.",
        "attacks 18",
        |plants| destroy(plants, acts::replace_by_symlink),
    ),
    destroys(
        "destroy-replace-tree-by-file",
        "Puts a file in the place of a directory.",
        "attacks 18",
        |plants| destroy(plants, acts::replace_tree_by_file),
    ),
    destroys(
        "destroy-replace-by-directory",
        "Puts a directory in the place of a file.",
        "attacks 18",
        |plants| destroy(plants, acts::replace_by_directory),
    ),
    destroys("destroy-chmod-file", "Takes all rights to a file away.", "attacks 18", |plants| {
        destroy(plants, acts::close_file)
    }),
    destroys("destroy-chmod-tree", "Takes all rights to a directory away.", "attacks 18", |plants| {
        destroy(plants, acts::close_tree)
    }),
    destroys("destroy-set-time-back", "Sets the time of a file back by decades.", "utimensat(2)", |plants| {
        destroy(plants, acts::set_time_back)
    }),
    destroys("destroy-xattr", "Gives a file an extended attribute.", "attacks 17", |plants| {
        destroy(plants, acts::set_attribute)
    }),
    destroys(
        "destroy-immutable",
        "Makes a file one that nobody can change or remove.",
        "ioctl_iflags(2)",
        |plants| destroy(plants, acts::make_immutable),
    )
    .if_present(),
    destroys(
        "destroy-append-only",
        "Makes a file one that can only be appended to.",
        "ioctl_iflags(2)",
        |plants| destroy(plants, acts::make_append_only),
    )
    .if_present(),
    destroys(
        "destroy-by-hard-link",
        "Overwrites a file by a hard link of its own to it.",
        "attacks 17",
        |plants| destroy(plants, acts::by_hard_link),
    ),
    destroys(
        "destroy-by-symlink",
        "Overwrites a file by a symbolic link of its own to it.",
        "attacks 17",
        |plants| destroy(plants, acts::by_symlink),
    ),
    destroys(
        "destroy-by-reopening",
        "Opens a file for reading, and by that descriptor for writing.",
        "proc_pid_fd(5)",
        |plants| destroy(plants, acts::by_reopening),
    ),
    destroys(
        "destroy-by-path-descriptor",
        "Opens the place of a file only, and by that descriptor writes.",
        "open(2)",
        |plants| destroy(plants, acts::by_path_descriptor),
    ),
    destroys("destroy-by-own-root", "Overwrites a file by /proc/self/root.", "attacks 4", |plants| {
        destroy(plants, acts::by_own_root)
    }),
    destroys(
        "destroy-by-swapped-directory",
        "Overwrites a file while its directory goes by another name.",
        "attacks 18",
        |plants| destroy(plants, acts::by_swapped_directory),
    ),
    destroys(
        "destroy-git-object",
        "Removes an object of the repository.",
        "gitrepository-layout(5)",
        |plants| destroy(plants, acts::remove_from_repository),
    ),
    destroys(
        "destroy-git-ref",
        "Removes a reference of the repository.",
        "gitrepository-layout(5)",
        |plants| destroy(plants, acts::remove_from_repository),
    ),
    destroys(
        "destroy-git-packed-refs",
        "Empties the file of packed references.",
        "git-pack-refs(1)",
        |plants| destroy(plants, acts::shorten_in_repository),
    ),
    destroys("destroy-git-reflog", "Empties the log of a reference.", "git-reflog(1)", |plants| {
        destroy(plants, acts::shorten_in_repository)
    }),
    destroys("destroy-git-stash", "Removes the stash with its log.", "git-stash(1)", |plants| {
        destroy(plants, acts::remove_from_repository)
    }),
    destroys(
        "destroy-git-repository",
        "Removes a repository below the work directory with all its history.",
        "attacks 19",
        |plants| destroy(plants, acts::remove_tree),
    ),
];

/// The classes of the victims.
pub(crate) const CLASSES: &[Class] = &[
    class(
        "removed-files",
        18,
        &[
            "destroy-unlink",
            "destroy-remove-tree",
            "destroy-remove-ignored",
            "destroy-remove-sealed",
            "destroy-unlink-by-descriptor",
        ],
    ),
    class(
        "resized-files",
        18,
        &[
            "destroy-open-truncate",
            "destroy-truncate",
            "destroy-grow-sparse",
            "destroy-punch-hole",
            "destroy-zero-range",
            "destroy-collapse-range",
        ],
    ),
    class(
        "overwritten-files",
        18,
        &[
            "destroy-write",
            "destroy-store-by-mapping",
            "destroy-write-at-end",
            "destroy-append",
            "destroy-copy-range",
            "destroy-write-synced",
        ],
    ),
    class(
        "replaced-files",
        18,
        &[
            "destroy-rename-over",
            "destroy-rename-exchange",
            "destroy-rename-away",
            "destroy-replace-by-symlink",
            "destroy-replace-tree-by-file",
            "destroy-replace-by-directory",
        ],
    ),
    class(
        "altered-attributes",
        18,
        &[
            "destroy-chmod-file",
            "destroy-chmod-tree",
            "destroy-set-time-back",
            "destroy-xattr",
            "destroy-immutable",
            "destroy-append-only",
        ],
    ),
    class(
        "indirect-writes",
        17,
        &[
            "destroy-by-hard-link",
            "destroy-by-symlink",
            "destroy-by-reopening",
            "destroy-by-path-descriptor",
            "destroy-by-own-root",
            "destroy-by-swapped-directory",
        ],
    ),
    class(
        "repository-history",
        19,
        &[
            "destroy-git-object",
            "destroy-git-ref",
            "destroy-git-packed-refs",
            "destroy-git-reflog",
            "destroy-git-stash",
            "destroy-git-repository",
        ],
    ),
];

const fn destroys(id: &'static str, sentence: &'static str, source: &'static str, run: Run) -> Attempt {
    Attempt::forbidden(id, sentence, source, run)
        .of(Radius::Destruction)
        .needs(&[Plant::Workspace])
        .witnessed(lost)
}

fn destroy(plants: &Plants, act: fn(&Victim) -> io::Result<()>) -> Result<Finding, PlantError> {
    Ok(Finding::claimed(plants.attempt(), act(&Victim::of(plants)?)))
}

fn lost(host: &HostSide<'_>) -> Option<String> {
    Victim::of(host.plants).ok()?.what_was_lost()
}

fn plant(plants: &Plants) -> io::Result<()> {
    victims::plant_named_blob(plants)?;
    ATTEMPTS
        .iter()
        .try_for_each(|attempt| Victim::of(&plants.of(attempt.id)).map_err(io::Error::other)?.plant())
}

/// The scratch directory is removed whole, which modes and attributes that attempts left would prevent.
fn tidy(plants: &Plants) -> io::Result<()> {
    let workspace = plants.text(Plant::Workspace).map_err(io::Error::other)?;
    victims::unseal(&Path::new(workspace).join("victims"))
}

#[cfg(test)]
mod tests;
