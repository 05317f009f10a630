//! The dashboard without a broker: the fleet folded from records, and what is shown of it.

mod app;
mod fleet;
mod frames;
mod output;
mod support;
