//! The terminal dashboard: it reads the state of the fleet from Kafka and shows it.
//!
//! [`Source`] reads records, and [`Fleet`] computes the state of the fleet from them; both are independent of a screen.
//! [`app::App`] is the state of the dashboard, which only an [`app::Input`] changes. [`view`] turns it into the data to
//! show, which [`render`] draws and [`Form`] prints. [`watch`] shows the dashboard on the terminal, and [`run`] is `quipu
//! top`.
//!
//! All but [`Source`], [`watch`] and [`run`] is pure: it takes the time as an argument and does no I/O.

pub mod app;
mod batch;
mod export;
mod fleet;
pub mod format;
mod job;
mod keyboard;
mod layout;
mod name;
mod output;
pub mod render;
mod screen;
mod signals;
mod source;
mod stderr;
mod terminal;
mod theme;
mod top;
pub mod view;

pub use batch::{Batch, Connection, GroupOffset, LagReport, RawRecord, Topic, TopicState};
pub use export::svg;
pub use fleet::{
    Audit, Event, EventKind, Fleet, Group, History, Limits, ObservedSeries, ObservedTotal, Pipeline, ReadTopic, Run,
    RunId, RunState, SeriesId,
};
pub use name::{Name, fit};
pub use output::Form;
pub use screen::{ScreenOptions, watch};
pub use source::{Source, SourceError, SourceOptions};
pub use stderr::Stderr;
pub use terminal::restore_terminal;
pub use theme::{Role, Theme};
pub use top::{TopOptions, run};
