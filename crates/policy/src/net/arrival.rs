//! What the relay says of a connection that it hands over.
