//! Why something is not let through: stable codes and what the agent is told.
