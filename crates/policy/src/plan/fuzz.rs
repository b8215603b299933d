//! Any sealed plan is refused, or names only sources that it has and prints as it was read.

use super::*;
use cofferdam_fuzz::fuzz;

#[test]
fn a_plan_is_read_whole_or_refused() {
    fuzz("plan", target);
}

fn target(input: &[u8]) -> Result<Vec<String>, String> {
    let plan = match Plan::parse(input) {
        Ok(plan) => plan,
        Err(PlanError::Malformed(error)) => return Err(format!("{:?}", error.classify())),
        Err(error @ (PlanError::TooLong | PlanError::Version(_) | PlanError::Source(_))) => {
            return Err(error.to_string());
        }
    };
    assert_eq!(Plan::parse(plan.print().unwrap().as_bytes()).unwrap(), plan);
    for step in &plan.steps {
        assert!(step.sources().iter().all(|source| *source < plan.sources.len()));
    }
    Ok(plan.steps.iter().map(|step| step.phrase().split(' ').take(2).collect()).collect())
}
