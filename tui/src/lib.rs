//! What an operator watches: the fleet's state read from Kafka.
//!
//! [`Source`] reads and [`Fleet`] folds what it read into what can be asked; neither knows of a screen. [`app::App`] is
//! the dashboard's state, changed by [`app::Input`]s only; [`view`] makes of it what is to be shown, as data; and that is
//! drawn by [`render`] or printed by [`Form`]. [`watch`] shows it on the terminal, [`run`] is `quipu top`.
//!
//! Everything but [`Source`], [`watch`] and [`run`] is pure: it takes the time as an argument and does no I/O.

pub mod app;
mod batch;
mod export;
mod fleet;
pub mod format;
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
    Audit, Event, EventKind, Fleet, Group, History, Limits, ObservedSeries, Pipeline, ReadTopic, Run, RunId, RunState,
    SeriesId, Total,
};
pub use name::{Name, fit};
pub use output::Form;
pub use screen::{ScreenOptions, watch};
pub use source::{Source, SourceError, SourceOptions};
pub use stderr::Stderr;
pub use terminal::restore_terminal;
pub use theme::{Role, Theme};
pub use top::{TopOptions, run};
