//! Variables: which come in, with whose value, and which look like secrets and are refused.

use crate::context::Context;
use crate::error::{Error, ErrorKind};
use crate::request::RunRequest;
use cofferdam_policy::authority::EnvValue;
use cofferdam_policy::mask::looks_secret_value;
use cofferdam_policy::wish::Wish;
use std::collections::BTreeMap;

/// Variables that the cell sets itself: another value would only break it.
const OWN: [&str; 5] = ["HOME", "USER", "LOGNAME", "PATH", "COFFERDAM_SESSION"];

/// The variables of the wish and of the dangerous flags, over those that tools and agents bring.
pub(super) fn resolve(
    context: &Context,
    wish: &Wish,
    request: &RunRequest,
    brought: BTreeMap<String, EnvValue>,
    notes: &mut Vec<String>,
) -> Result<BTreeMap<String, EnvValue>, Error> {
    let dangerous = &request.dangerous_environment;
    let mut environment = brought;
    for entry in &wish.environment {
        let (key, value) = match entry.split_once('=') {
            Some((key, value)) => (key, Some(value)),
            None => (entry.as_str(), None),
        };
        check_name(key)?;
        let (value, kept) = match value {
            Some(value) => (value.to_owned(), EnvValue::Literal(value.to_owned())),
            None => match context.variable(key) {
                Some(value) => (value.to_owned(), EnvValue::Inherited),
                None if request.wish.environment.contains(entry) => return Err(unset(key)),
                None => {
                    notes.push(format!("environment {key}: it is not set here, and left out"));
                    continue;
                }
            },
        };
        check_value(key, &value).map_err(|error| {
            error.hint(format!("leave it out; or, if it is none, name it: --dangerous-env {key}"))
        })?;
        environment.insert(key.to_owned(), kept);
    }
    for key in dangerous {
        check_name(key)?;
        if wish.deny.denies_variable(key) {
            return Err(Error::new(ErrorKind::Policy, format!("cannot pass {key} into the cell"))
                .since("the policy denies it")
                .hint("take it from `deny.environment` of the policy first"));
        }
        if context.variable(key).is_none() {
            return Err(unset(key));
        }
        environment.insert(key.clone(), EnvValue::DangerouslyInherited);
    }
    Ok(environment)
}

/// Refuses what looks like a secret.
pub(crate) fn check_value(key: &str, value: &str) -> Result<(), Error> {
    match looks_secret_value(key, value) {
        None => Ok(()),
        Some(sign) => Err(Error::new(ErrorKind::Secret, format!("cannot pass {key} into the cell")).since(
            format!("it looks like a secret ({sign}), and the agent could send it anywhere it can reach"),
        )),
    }
}

/// Named on the command line, it was meant to have a value.
fn unset(key: &str) -> Error {
    Error::new(ErrorKind::Usage, format!("cannot pass {key} into the cell"))
        .since("it is not set here, or not text")
        .hint(format!("export it first, or give it a value: -e {key}=VALUE"))
}

fn check_name(key: &str) -> Result<(), Error> {
    let plain = !key.is_empty()
        && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && !key.starts_with(|c: char| c.is_ascii_digit());
    if !plain {
        return Err(Error::new(ErrorKind::Usage, format!("cannot set the variable {key:?}"))
            .since("a name has letters, digits and `_`, and does not begin with a digit")
            .hint("write -e NAME or -e NAME=VALUE"));
    }
    if OWN.contains(&key) {
        return Err(Error::new(ErrorKind::Usage, format!("cannot set the variable {key}"))
            .since("the cell sets it itself")
            .hint("leave it out; --tools puts tools into PATH"));
    }
    Ok(())
}
