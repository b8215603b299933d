//! Exit codes: one for each kind of failure of our own, apart from those of the command.
//!
//! A command's own status is passed through (a signal as 128 + its number). The codes below, from 200 to 219,
//! are ours; `docs/exit-codes.md` documents each, and a test compares the two.

/// Something that should not happen: a bug, or a machine that misbehaves.
pub const INTERNAL: u8 = 200;
/// The command line can't be understood.
pub const USAGE: u8 = 201;
/// A policy, or a repository's request, can't be taken.
pub const POLICY: u8 = 202;
/// Something was asked for that this machine can't enforce.
pub const UNENFORCEABLE: u8 = 203;
/// A workspace or mount can't be used.
pub const WORKSPACE: u8 = 204;
/// No such session.
pub const NO_SESSION: u8 = 205;
/// The name is taken by another session, or by another secret.
pub const NAME_TAKEN: u8 = 206;
/// The session is not in a state in which this can be done.
pub const WRONG_STATE: u8 = 207;
/// The command does not exist in the cell, or can't be executed.
pub const COMMAND: u8 = 208;
/// The cell could not be built.
pub const CELL: u8 = 209;
/// The ledger can't be read or written.
pub const LEDGER: u8 = 210;
/// A question was answered with no, or there was nobody to ask.
pub const DECLINED: u8 = 211;
/// The session came to its time limit.
pub const TIME_LIMIT: u8 = 212;
/// A secret would have entered the cell, or one that is named has no value that counts.
pub const SECRET: u8 = 213;
/// A file or directory of our own state can't be used.
pub const STATE: u8 = 214;
/// What would be written is not what the digest stands for.
pub const MOVED: u8 = 215;
/// There is nothing to apply, or to undo.
pub const NOTHING: u8 = 216;
/// The owner changed the same paths meanwhile.
pub const CONFLICT: u8 = 217;
/// Something was named that is never brought back.
pub const REFUSED: u8 = 218;
/// Nobody has reviewed what would be written.
pub const UNREVIEWED: u8 = 219;
