//! Messages of the domain name system, as far as a cell and its gateway need them.
