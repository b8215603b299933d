//! A cell's launcher before there is a cell: it gets ready while it is worked out what for.

use crate::error::{Error, ErrorKind};
use crate::machine::Machine;
use crate::prepare;
use crate::programs;
use crate::state::State;
use cofferdam_cell::{Cell, CellError};
use cofferdam_policy::admission::Permit;
use cofferdam_policy::layout::Ground;
use cofferdam_policy::plan::Plan;
use cofferdam_policy::session_id::SessionId;
use std::path::Path;

/// A launcher that waits for a plan; gone with this value if nothing is built.
#[derive(Debug)]
pub struct Launcher {
    cell: Option<Cell>,
    /// What the cell was begun on, before there was a record of it.
    ground: Option<Ground>,
}

impl Launcher {
    /// Starts one before anything is known of the session. Where that fails there is none: whoever comes to need it
    /// says why.
    #[must_use]
    pub fn ahead(program: &Path) -> Option<Self> {
        Self::start(program).ok()
    }

    /// Starts the launcher that lies beside `program`.
    pub(crate) fn start(program: &Path) -> Result<Self, Error> {
        let launcher = programs::beside(program, programs::LAUNCHER)?;
        let cell = Cell::launch(&launcher, &[programs::LAUNCHER]).map_err(no_cell)?;
        Ok(Self { cell: Some(cell), ground: None })
    }

    /// Has the cell begun on its ground, which it tells.
    pub(crate) fn begin(
        &mut self,
        state: &State,
        machine: &Machine,
        permit: &Permit,
        id: &SessionId,
        id_base: Option<u32>,
    ) -> Result<Ground, Error> {
        let ground = prepare::ground(state, machine, permit.authority(), id, id_base);
        let beginning = prepare::beginning(permit, &ground)?;
        self.cell.iter().try_for_each(|cell| cell.build(&beginning)).map_err(no_cell)?;
        self.ground = Some(ground.clone());
        Ok(ground)
    }

    /// What the cell was begun on, if it was.
    pub(crate) fn ground(&self) -> Option<Ground> {
        self.ground.clone()
    }

    /// Has the rest built.
    pub(crate) fn build(mut self, plan: &Plan) -> Result<Cell, Error> {
        let cell =
            self.cell.take().ok_or_else(|| Error::new(ErrorKind::Internal, "cannot build the cell twice"))?;
        cell.build(plan).map_err(no_cell)?;
        Ok(cell)
    }
}

impl Drop for Launcher {
    fn drop(&mut self) {
        if let Some(cell) = self.cell.take() {
            cell.abandon();
        }
    }
}

fn no_cell(error: CellError) -> Error {
    Error::new(ErrorKind::Cell, "cannot start the cell").because(error).hint("cofferdam doctor")
}
