//! `cofferdam doctor`: what this machine can enforce, tried one by one, and what is left over.
use crate::arguments::DoctorArguments;
use crate::output::Output;
use cofferdam_session::context::Context;
use cofferdam_session::error::Error;

pub(super) fn doctor(_context: &Context, _output: &Output, _arguments: &DoctorArguments) -> Result<u8, Error> {
    Ok(0)
}
