//! What a session may use up: the names and values of `--limit`, their parsing, printing and defaults.
//!
//! Nothing is enforced here, and whether this machine can enforce a limit is not known here. A [`Bound`] says
//! whether the owner asked for it, because only then is a missing mechanism a reason to refuse the session.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const TIB: u64 = 1 << 40;

/// Units of sizes, largest first.
const SIZE_UNITS: [(char, u64); 4] = [('T', TIB), ('G', GIB), ('M', MIB), ('K', KIB)];
/// Units of time in seconds, largest first.
const TIME_UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

/// The largest size taken: beyond every disk, below what overflows.
const BYTES_MAX: u64 = 1 << 60;
/// Linux's own ceiling for process ids.
const PROCESSES_MAX: u64 = 1 << 22;
const FILES_MAX: u64 = 1 << 30;
const MILLICORES_MAX: u64 = 1_000_000;
const SECONDS_MAX: u64 = 366 * 86_400;

/// Below this the launcher itself can't start.
const MEMORY_BYTES_MIN: u64 = 16 * MIB;
/// Pid 1, the agent, and one child of each.
const PROCESSES_MIN: u64 = 4;
/// The standard three, the terminal's, and a few libraries.
const FILES_MIN: u64 = 16;
const DISK_BYTES_MIN: u64 = MIB;
const TMP_BYTES_MIN: u64 = 64 * KIB;
const MILLICORES_MIN: u64 = 10;
const SECONDS_MIN: u64 = 1;

/// Default number of processes: a parallel build has hundreds, a fork bomb has more.
const PROCESSES_DEFAULT: u64 = 4_096;
/// Default number of open files for each process: what file watchers of large trees need.
const FILES_DEFAULT: u64 = 65_536;
/// Default for what a session may write to its layers.
const DISK_BYTES_DEFAULT: u64 = 32 * GIB;
/// Default for `/tmp`, on machines with the memory for it.
const TMP_BYTES_DEFAULT: u64 = 4 * GIB;

/// What can be limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LimitName {
    /// Memory of all processes together, in bytes.
    Memory,
    /// Processes and threads at one time.
    Processes,
    /// Processor time, in thousandths of a core.
    Cpu,
    /// Open files of each process.
    Files,
    /// What the session may write to its layers on disk, in bytes.
    Disk,
    /// Size of the cell's `/tmp`, in bytes.
    Tmp,
    /// Time from start to end by the wall clock, in seconds.
    Time,
}

/// A limit with its value; only values within the range of their name exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Limit {
    name: LimitName,
    value: u64,
}

/// Where a bound comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// Nobody named it: where it can't be enforced, `explain` says so.
    Default,
    /// The owner named it: where it can't be enforced, the session is refused.
    Asked,
}

/// A limit and where it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bound {
    /// The limit.
    pub limit: Limit,
    /// Where it comes from.
    pub origin: Origin,
}

/// All limits of a session: at most one for each name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "Vec<Bound>", into = "Vec<Bound>")]
pub struct Limits(BTreeMap<LimitName, Bound>);

/// What the defaults depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Machine {
    /// Main memory, in bytes.
    pub memory_bytes: u64,
}

/// Why a text is not a limit. Every variant carries the text as it was given, escaped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// There is no `=` in it.
    #[error("limit {shown} is not of the form NAME=VALUE")]
    Form {
        /// The text.
        shown: String,
    },
    /// The name is none of [`LimitName::ALL`].
    #[error("unknown limit {shown}; there are memory, processes, cpu, files, disk, tmp and time")]
    Name {
        /// The name.
        shown: String,
    },
    /// The value is not of the form that its name takes.
    #[error("limit {name} cannot be {shown}; it takes {}", name.takes())]
    Value {
        /// The name.
        name: LimitName,
        /// The value.
        shown: String,
    },
    /// The value is outside what can work.
    #[error("limit {name} cannot be {shown}; it must be from {least} to {most}")]
    Range {
        /// The name.
        name: LimitName,
        /// The value.
        shown: String,
        /// The least possible value, printed.
        least: String,
        /// The largest possible value, printed.
        most: String,
    },
    /// A list holds the same name twice.
    #[error("limit {name} stands twice in one list")]
    Twice {
        /// The name.
        name: LimitName,
    },
}

impl LimitName {
    /// Every name there is.
    pub const ALL: [Self; 7] =
        [Self::Memory, Self::Processes, Self::Cpu, Self::Files, Self::Disk, Self::Tmp, Self::Time];

    /// As it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Processes => "processes",
            Self::Cpu => "cpu",
            Self::Files => "files",
            Self::Disk => "disk",
            Self::Tmp => "tmp",
            Self::Time => "time",
        }
    }

    /// What its values look like, for people.
    #[must_use]
    pub fn takes(self) -> &'static str {
        match self {
            Self::Memory | Self::Disk | Self::Tmp => "a size such as 512M or 4G",
            Self::Processes | Self::Files => "a whole number such as 500",
            Self::Cpu => "cores such as 2 or 1.5",
            Self::Time => "a time such as 90s, 30m, 1h30m or 2d",
        }
    }

    /// The least and the largest value, in the unit of the name.
    fn range(self) -> (u64, u64) {
        match self {
            Self::Memory => (MEMORY_BYTES_MIN, BYTES_MAX),
            Self::Processes => (PROCESSES_MIN, PROCESSES_MAX),
            Self::Cpu => (MILLICORES_MIN, MILLICORES_MAX),
            Self::Files => (FILES_MIN, FILES_MAX),
            Self::Disk => (DISK_BYTES_MIN, BYTES_MAX),
            Self::Tmp => (TMP_BYTES_MIN, BYTES_MAX),
            Self::Time => (SECONDS_MIN, SECONDS_MAX),
        }
    }

    fn parse_value(self, text: &str) -> Option<u64> {
        match self {
            Self::Memory | Self::Disk | Self::Tmp => parse_size(text),
            Self::Processes | Self::Files => parse_digits(text),
            Self::Cpu => parse_cores(text),
            Self::Time => parse_time(text),
        }
    }

    fn print_value(self, value: u64) -> String {
        match self {
            Self::Memory | Self::Disk | Self::Tmp => print_in_units(value, &SIZE_UNITS),
            Self::Processes | Self::Files => value.to_string(),
            Self::Cpu => print_cores(value),
            Self::Time => print_in_units(value, &TIME_UNITS),
        }
    }
}

impl Limit {
    /// A limit of `value`, in the unit that [`LimitName`] gives.
    ///
    /// # Errors
    /// [`LimitError::Range`] where that can't work.
    pub fn new(name: LimitName, value: u64) -> Result<Self, LimitError> {
        let (least, most) = name.range();
        if (least..=most).contains(&value) {
            return Ok(Self { name, value });
        }
        let [shown, least, most] = [value, least, most].map(|v| name.print_value(v));
        Err(LimitError::Range { name, shown, least, most })
    }

    /// What is limited.
    #[must_use]
    pub fn name(self) -> LimitName {
        self.name
    }

    /// To how much, in the unit that [`LimitName`] gives.
    #[must_use]
    pub fn value(self) -> u64 {
        self.value
    }

    /// To how much, as it is written: `4G`, `1.5`, `30m`.
    #[must_use]
    pub fn printed_value(self) -> String {
        self.name.print_value(self.value)
    }
}

impl Limits {
    /// What every session has: three quarters of the memory, 4,096 processes, 65,536 open files for each, 32 GiB
    /// on disk, and a `/tmp` of 4 GiB or a quarter of the memory, whichever is less. Processor and time are free.
    #[must_use]
    pub fn defaults(machine: Machine) -> Self {
        let quarter = (machine.memory_bytes / 4).next_multiple_of(MIB);
        let values = [
            (LimitName::Memory, quarter.saturating_mul(3)),
            (LimitName::Processes, PROCESSES_DEFAULT),
            (LimitName::Files, FILES_DEFAULT),
            (LimitName::Disk, DISK_BYTES_DEFAULT),
            (LimitName::Tmp, quarter.min(TMP_BYTES_DEFAULT)),
        ];
        Self(values.into_iter().map(|(name, value)| (name, Bound::by_default(name, value))).collect())
    }

    /// Adds a limit that the owner asked for. It takes the place of a default; of two that were asked for (by
    /// the policy and by a flag, say) the smaller holds.
    pub fn ask(&mut self, limit: Limit) {
        let asked = Bound { limit, origin: Origin::Asked };
        self.0
            .entry(limit.name)
            .and_modify(|held| match held.origin {
                Origin::Default => *held = asked,
                Origin::Asked => held.limit = held.limit.min(limit),
            })
            .or_insert(asked);
    }

    /// The bound on `name`, if there is one.
    #[must_use]
    pub fn get(&self, name: LimitName) -> Option<Bound> {
        self.0.get(&name).copied()
    }

    /// Every bound, in the order of [`LimitName::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = Bound> {
        self.0.values().copied()
    }

    /// Whether everything that `outer` limits is limited here at least as tightly.
    #[must_use]
    pub fn is_within(&self, outer: &Self) -> bool {
        outer.iter().all(|bound| self.get(bound.limit.name).is_some_and(|own| own.limit <= bound.limit))
    }
}

impl Bound {
    /// A default, brought into the range of its name.
    fn by_default(name: LimitName, value: u64) -> Self {
        let (least, most) = name.range();
        Self { limit: Limit { name, value: value.clamp(least, most) }, origin: Origin::Default }
    }
}

/// Digits and nothing else; `u64::from_str` alone would take a leading `+`.
fn parse_digits(text: &str) -> Option<u64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// `512M`, `4G`, `4GiB` or plain bytes; units are powers of 1,024.
fn parse_size(text: &str) -> Option<u64> {
    let text = text.strip_suffix("iB").unwrap_or(text);
    for (letter, unit) in SIZE_UNITS {
        if let Some(number) = text.strip_suffix([letter, letter.to_ascii_lowercase()]) {
            return parse_digits(number)?.checked_mul(unit);
        }
    }
    parse_digits(text)
}

/// `2`, `1.5`, `0.25`: up to three digits after the point.
fn parse_cores(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    if fraction.is_empty() || fraction.len() > 3 {
        return None;
    }
    let thousandths = parse_digits(&format!("{fraction:0<3}"))?;
    parse_digits(whole)?.checked_mul(1_000)?.checked_add(thousandths)
}

/// `90s`, `1h30m`: each unit at most once, larger ones first.
fn parse_time(text: &str) -> Option<u64> {
    let mut rest = text;
    let mut seconds = 0_u64;
    for (letter, unit) in TIME_UNITS {
        if let Some((number, after)) = rest.split_once(letter) {
            seconds = seconds.checked_add(parse_digits(number)?.checked_mul(unit)?)?;
            rest = after;
        }
    }
    (rest.is_empty() && !text.is_empty()).then_some(seconds)
}

/// In the largest unit that divides it; without a unit where none does.
fn print_in_units(value: u64, units: &[(char, u64)]) -> String {
    match units.iter().find(|(_, unit)| value != 0 && value.is_multiple_of(*unit)) {
        Some((letter, unit)) => format!("{}{letter}", value / unit),
        None => value.to_string(),
    }
}

fn print_cores(millicores: u64) -> String {
    let text = format!("{}.{:03}", millicores / 1_000, millicores % 1_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

impl FromStr for LimitName {
    type Err = LimitError;

    fn from_str(text: &str) -> Result<Self, LimitError> {
        Self::ALL
            .into_iter()
            .find(|name| name.name() == text)
            .ok_or_else(|| LimitError::Name { shown: format!("{text:?}") })
    }
}

impl FromStr for Limit {
    type Err = LimitError;

    fn from_str(text: &str) -> Result<Self, LimitError> {
        let shown = |text: &str| format!("{text:?}");
        let (name, value) = text.split_once('=').ok_or_else(|| LimitError::Form { shown: shown(text) })?;
        let name: LimitName = name.parse()?;
        match name.parse_value(value) {
            Some(number) => Self::new(name, number),
            None => Err(LimitError::Value { name, shown: shown(value) }),
        }
    }
}

impl fmt::Display for LimitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, self.printed_value())
    }
}

impl TryFrom<String> for Limit {
    type Error = LimitError;
    fn try_from(text: String) -> Result<Self, LimitError> {
        text.parse()
    }
}

impl From<Limit> for String {
    fn from(limit: Limit) -> Self {
        limit.to_string()
    }
}

impl TryFrom<Vec<Bound>> for Limits {
    type Error = LimitError;

    fn try_from(bounds: Vec<Bound>) -> Result<Self, LimitError> {
        let mut limits = BTreeMap::new();
        for bound in bounds {
            if limits.insert(bound.limit.name, bound).is_some() {
                return Err(LimitError::Twice { name: bound.limit.name });
            }
        }
        Ok(Self(limits))
    }
}

impl From<Limits> for Vec<Bound> {
    fn from(limits: Limits) -> Self {
        limits.0.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value_of(text: &str) -> Option<u64> {
        text.parse::<Limit>().ok().map(Limit::value)
    }

    #[test]
    fn limits_are_read_as_people_write_them() {
        for (text, value) in [
            ("memory=512M", 512 * MIB),
            ("memory=4g", 4 * GIB),
            ("disk=20GiB", 20 * GIB),
            ("tmp=1048576", MIB),
            ("processes=500", 500),
            ("files=1024", 1024),
            ("cpu=1.5", 1_500),
            ("cpu=0.25", 250),
            ("cpu=2", 2_000),
            ("time=90s", 90),
            ("time=1h30m", 5_400),
            ("time=2d", 172_800),
        ] {
            assert_eq!(value_of(text), Some(value), "{text}");
        }
    }

    #[test]
    fn what_could_be_misread_is_refused() {
        for text in [
            "memory",
            "memory=",
            "memory=0",
            "memory=-1G",
            "memory=+1G",
            "memory=1.5G",
            "memory=4X",
            "memory=4G ",
            "memory=99999999999T",
            "memory=18446744073709551616",
            "memory=G",
            "memory=4GG",
            "Memory=4G",
            "ram=4G",
            "processes=1",
            "processes=1e3",
            "cpu=",
            "cpu=.5",
            "cpu=1.",
            "cpu=1.2345",
            "cpu=0",
            "cpu=1,5",
            "time=90",
            "time=",
            "time=30m1h",
            "time=h",
            "time=0s",
            "time=1m1m",
            "files=٣٢",
            "memory=4G\n",
        ] {
            assert!(text.parse::<Limit>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_refusal_names_the_limit_and_what_it_takes() {
        let error = |text: &str| text.parse::<Limit>().unwrap_err().to_string();
        assert_eq!(error("cpu=many"), "limit cpu cannot be \"many\"; it takes cores such as 2 or 1.5");
        assert_eq!(error("memory=1K"), "limit memory cannot be 1K; it must be from 16M to 1048576T");
        assert!(error("a\nb=1").contains("\\n"));
    }

    #[test]
    fn a_machine_however_small_gets_defaults_that_can_work() {
        for memory_bytes in [0, MIB, 512 * MIB, 8 * GIB, u64::MAX] {
            for bound in Limits::defaults(Machine { memory_bytes }).iter() {
                assert_eq!(bound.limit.to_string().parse(), Ok(bound.limit));
                assert_eq!(bound.origin, Origin::Default);
            }
        }
    }

    #[test]
    fn the_smaller_of_two_that_were_asked_for_holds_in_any_order() {
        let [small, large]: [Limit; 2] = ["memory=1G", "memory=64G"].map(|text| text.parse().unwrap());
        for pair in [[small, large], [large, small]] {
            let mut limits = Limits::defaults(Machine { memory_bytes: 8 * GIB });
            pair.into_iter().for_each(|limit| limits.ask(limit));
            assert_eq!(limits.get(LimitName::Memory), Some(Bound { limit: small, origin: Origin::Asked }));
        }
    }

    #[test]
    fn a_list_with_one_name_twice_is_refused() {
        let text = r#"[{"limit":"cpu=1","origin":"asked"},{"limit":"cpu=2","origin":"asked"}]"#;
        assert!(serde_json::from_str::<Limits>(text).is_err());
    }

    fn limit() -> impl Strategy<Value = Limit> {
        (prop::sample::select(LimitName::ALL.to_vec()), any::<u64>()).prop_map(|(name, value)| {
            let (least, most) = name.range();
            Limit { name, value: least + value % (most - least + 1) }
        })
    }

    proptest! {
        #[test]
        fn a_limit_printed_is_the_limit_parsed(limit in limit()) {
            prop_assert_eq!(limit.to_string().parse::<Limit>(), Ok(limit));
        }

        #[test]
        fn asking_for_more_limits_never_widens_what_was_asked_for(limits in prop::collection::vec(limit(), 0..8), one in limit()) {
            let mut before = Limits::default();
            limits.iter().for_each(|l| before.ask(*l));
            let mut after = before.clone();
            after.ask(one);
            prop_assert!(after.is_within(&before));
            let text = serde_json::to_string(&after).unwrap();
            prop_assert_eq!(serde_json::from_str::<Limits>(&text).unwrap(), after);
        }

        #[test]
        fn no_text_whatever_makes_the_parser_fail_otherwise_than_by_an_error(text: String) {
            drop(text.parse::<Limit>());
            drop(format!("time={text}").parse::<Limit>());
        }
    }
}
