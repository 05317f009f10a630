//! Tests the dashboard without a broker: the state of the fleet computed from records, and its view.

mod app;
mod fleet;
mod frames;
mod output;
mod support;
