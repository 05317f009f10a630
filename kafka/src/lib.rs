//! What Quipu's Kafka clients share: logging, default properties, and calls that have a bound.
//!
//! librdkafka's client is asynchronous, but some of its calls wait: for a broker, for the client's own main thread, or
//! for both. Most of them take a timeout, and a few ignore it or have none. [`Bounded`] makes such calls on a thread of
//! its own, so that the caller goes on when the bound is reached, whatever the call does.

#[cfg(feature = "admin")]
mod admin;
mod bounded;
mod context;
mod properties;
mod trouble;

#[cfg(feature = "admin")]
pub use admin::Admin;
pub use bounded::{Bounded, CallError};
pub use context::{Logged, drain};
pub use properties::{client_config, set_default, without_identity};
pub use trouble::{Scope, Trouble};
