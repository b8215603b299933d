//! A review without a terminal: what is drawn, what keys do, and that nothing hostile gets onto the screen.

mod drawing;
mod hostile;
mod keeping;
mod scene;
mod svg;
