//! Fleet-wide totals: a table of the latest reports, grouped by series and reduced
