//! What the supervisor and the gateway say to each other: one packet a message, descriptors beside it.
