//! The workflow: phases, the decision what comes next, the run loop, events and the gate.
//!
//! Invariant: the orchestrator keeps no state of its own. What comes next is decided by [`next_phase`] from the
//! files of `.agent_memory/` alone.

mod events;
mod gate;

pub use events::{EventError, EventErrorKind, EventPhase, EventStatus, PhaseEvent};
pub use gate::{Approver, Gate, GateAnswer, GateTask};
