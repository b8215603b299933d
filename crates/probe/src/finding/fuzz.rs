//! Any bytes that an attempt's process puts out are refused as a report, or are one that can be written and read again.

use super::*;
use cofferdam_fuzz::fuzz;

#[test]
fn a_report_is_understood_whole_or_refused() {
    fuzz("probe_report", target);
}

fn target(input: &[u8]) -> Option<(Outcome, bool, bool)> {
    let report: Report = serde_json::from_slice(input).ok()?;
    let text = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
    Some((report.outcome, report.errno.is_some(), report.killed.is_some()))
}
