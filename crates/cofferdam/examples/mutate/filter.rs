//! The mutants of the system-call filter: every refused call allowed, every condition dropped, every default opened.

use crate::mutant::Mutant;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// As the table has it: from here on a call is newer than the filter, and one mutant stands for all.
const FIRST_UNKNOWN: u64 = 470;
/// Numbers that the kernel does not give to any call on this architecture.
const GAP: std::ops::Range<u64> = 337..424;

/// All mutants of the filter with these rules.
pub(crate) fn mutants(rules: &Value) -> Vec<Mutant> {
    let rules: BTreeMap<u64, &Value> =
        rules.as_array().unwrap().iter().map(|rule| (rule["number"].as_u64().unwrap(), rule)).collect();
    let open = ["default", "foreign", "unknown"];
    let mut mutants: Vec<Mutant> =
        open.iter().map(|place| Mutant::new(format!("filter {place}"), json!({"open": place}))).collect();
    for number in (0..FIRST_UNKNOWN).filter(|number| !GAP.contains(number)) {
        let rule = rules.get(&number);
        if rule.is_none_or(|rule| rule["always"] == false) {
            mutants.push(Mutant::new(format!("call {number}"), json!({"call": number})));
        }
        let alternatives =
            rule.and_then(|rule| rule["checks"].as_array()).map(Vec::as_slice).unwrap_or_default();
        for (at, checks) in alternatives.iter().enumerate() {
            for check in 0..checks.as_u64().unwrap_or_default() {
                let name = format!("condition {number}.{at}.{check}");
                mutants.push(Mutant::new(name, json!({"check": [number, at, check]})));
            }
        }
    }
    mutants
}
