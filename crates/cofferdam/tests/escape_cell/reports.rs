//! What the probe prints, by the ids of its attempts.

use serde_json::Value;

/// The probe's reports by their ids.
#[track_caller]
pub(super) fn reports(output: &Value) -> Vec<(&str, &Value)> {
    let reports = output.as_array().map(Vec::as_slice).unwrap_or_default();
    reports.iter().filter_map(|report| Some((report["id"].as_str()?, report))).collect()
}
