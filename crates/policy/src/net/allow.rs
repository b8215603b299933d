//! A grant as one line of text, as flags take it and refusals offer it.
