//! One permission to reach a place outside: host, port, methods, paths, credential and budget together.
