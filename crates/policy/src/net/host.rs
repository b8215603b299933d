//! Names and addresses of hosts, parsed once, and the patterns that match them.
