//! System-call filters: from rules, as data, to a classic BPF program (seccomp(2)).
//!
//! One generic compiler, no special cases. It knows no system call: what is allowed stands with those who are confined.

use crate::confine::Instruction;
use std::collections::BTreeMap;

/// A condition on one argument; all but the last on its low word, which is all that the kernel reads of an `int`.
#[derive(Debug, Clone, Copy)]
pub enum Check {
    /// Argument, mask, value: holds iff `argument & mask == value`.
    Is(u8, u32, u32),
    /// Argument, value: holds iff they differ.
    IsNot(u8, u32),
    /// Argument: holds iff the whole of it is zero, a null pointer.
    Null(u8),
}

/// Conditions that must all hold; without any it always does.
#[derive(Debug, Clone, Copy)]
pub struct Alternative(pub &'static [Check]);

/// What is done about one system call.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Its number.
    pub number: i64,
    /// Allowed iff one of these holds.
    pub alternatives: &'static [Alternative],
    /// Else answered as if it had succeeded, iff one of these holds.
    pub pretended: &'static [Alternative],
    /// Answered otherwise.
    pub errno: i32,
}

impl Rule {
    /// Allowed in these cases.
    #[must_use]
    pub const fn when(number: i64, alternatives: &'static [Alternative], errno: i32) -> Self {
        Self { number, alternatives, pretended: &[], errno }
    }

    /// Never allowed.
    #[must_use]
    pub const fn never(number: i64, errno: i32) -> Self {
        Self::when(number, &[], errno)
    }

    /// Else answered as if it had succeeded, in these cases.
    #[must_use]
    pub const fn or_pretended(self, pretended: &'static [Alternative]) -> Self {
        Self { pretended, ..self }
    }
}

/// No condition.
pub const ALWAYS: &[Alternative] = &[Alternative(&[])];

// <linux/seccomp.h>, <linux/audit.h>, <linux/filter.h>
/// Of the kernel's interface.
pub const RETURN_ALLOW: u32 = 0x7FFF_0000;
/// Of the kernel's interface.
pub const RETURN_ERRNO: u32 = 0x0005_0000;
/// Of the kernel's interface.
pub const RETURN_KILL_PROCESS: u32 = 0x8000_0000;
/// Of the kernel's interface.
pub const ARCHITECTURE_X86_64: u32 = 0xC000_003E;
/// Of the kernel's interface.
pub const OFFSET_NUMBER: u32 = 0;
/// Of the kernel's interface.
pub const OFFSET_ARCHITECTURE: u32 = 4;
/// Of the kernel's interface.
pub const OFFSET_ARGUMENTS: u32 = 16;
/// Of the kernel's interface.
pub const LOAD: u16 = 0x20;
/// Of the kernel's interface.
pub const AND: u16 = 0x54;
/// Of the kernel's interface.
pub const JUMP_EQUAL: u16 = 0x15;
/// Of the kernel's interface.
pub const JUMP_AT_LEAST: u16 = 0x35;
/// Of the kernel's interface.
pub const RETURN: u16 = 0x06;

/// The program that allows what these rules allow, by number.
///
/// Foreign architectures (32-bit calls) kill the process; x32 numbers, and those from `first_unknown` on, do not exist,
/// so that a C library takes its older way; anything else that is unnamed gets `EPERM`.
#[must_use]
pub fn compile(rules: &BTreeMap<u32, Rule>, first_unknown: u32) -> Vec<Instruction> {
    let mut program = vec![
        statement(LOAD, OFFSET_ARCHITECTURE),
        jump(JUMP_EQUAL, ARCHITECTURE_X86_64, 1, 0),
        statement(RETURN, RETURN_KILL_PROCESS),
        statement(LOAD, OFFSET_NUMBER),
        jump(JUMP_AT_LEAST, first_unknown, 0, 1),
        statement(RETURN, RETURN_ERRNO | libc::ENOSYS.unsigned_abs()),
    ];
    for rule in rules.values().filter(|rule| !is_always(rule)) {
        conditional(rule, &mut program);
    }
    let allowed: Vec<u32> =
        rules.iter().filter(|(_, rule)| is_always(rule)).map(|(&number, _)| number).collect();
    for (first, last) in runs(&allowed) {
        // first <= number <= last, in three instructions.
        program.push(jump(JUMP_AT_LEAST, first, 0, 2));
        program.push(jump(JUMP_AT_LEAST, last + 1, 1, 0));
        program.push(statement(RETURN, RETURN_ALLOW));
    }
    program.push(statement(RETURN, RETURN_ERRNO | libc::EPERM.unsigned_abs()));
    program
}

/// Whether a rule has no condition.
#[must_use]
pub fn is_always(rule: &Rule) -> bool {
    rule.alternatives.iter().any(|alternative| alternative.0.is_empty())
}

/// If the number is this rule's, decides; else goes on behind it, with the number loaded.
pub fn conditional(rule: &Rule, program: &mut Vec<Instruction>) {
    let mut body = Vec::new();
    for alternative in rule.alternatives {
        body.extend(alternative_code(alternative.0, RETURN_ALLOW));
    }
    for alternative in rule.pretended {
        body.extend(alternative_code(alternative.0, RETURN_ERRNO));
    }
    body.push(statement(RETURN, RETURN_ERRNO | rule.errno.unsigned_abs()));
    // A rule too long to be jumped over is left out, and its call refused like any that is unnamed.
    if let (Ok(length), Ok(number)) = (u8::try_from(body.len()), u32::try_from(rule.number)) {
        program.push(jump(JUMP_EQUAL, number, 0, length));
        program.append(&mut body);
    }
}

/// Returns `verdict` if all checks hold, else falls through to what follows.
fn alternative_code(checks: &[Check], verdict: u32) -> Vec<Instruction> {
    let mut code: Vec<Instruction> = vec![statement(RETURN, verdict)];
    for check in checks.iter().rev() {
        let past = u8::try_from(code.len()).unwrap_or(u8::MAX);
        let mut block = match *check {
            Check::Is(argument, mask, value) => vec![
                statement(LOAD, low_word(argument)),
                statement(AND, mask),
                jump(JUMP_EQUAL, value, 0, past),
            ],
            Check::IsNot(argument, value) => {
                vec![statement(LOAD, low_word(argument)), jump(JUMP_EQUAL, value, past, 0)]
            }
            Check::Null(argument) => vec![
                statement(LOAD, low_word(argument)),
                jump(JUMP_EQUAL, 0, 0, past.saturating_add(2)),
                statement(LOAD, low_word(argument) + 4),
                jump(JUMP_EQUAL, 0, 0, past),
            ],
        };
        block.append(&mut code);
        code = block;
    }
    code
}

/// Where an argument's low word lies in `struct seccomp_data`, little-endian.
fn low_word(argument: u8) -> u32 {
    OFFSET_ARGUMENTS + 8 * u32::from(argument)
}

/// Consecutive numbers, as first and last.
fn runs(numbers: &[u32]) -> Vec<(u32, u32)> {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for &number in numbers {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            Some(_) | None => runs.push((number, number)),
        }
    }
    runs
}

fn statement(code: u16, k: u32) -> Instruction {
    Instruction { code, jt: 0, jf: 0, k }
}

fn jump(code: u16, k: u32, jt: u8, jf: u8) -> Instruction {
    Instruction { code, jt, jf, k }
}
