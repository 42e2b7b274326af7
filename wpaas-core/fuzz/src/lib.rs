//! What each target must keep, whatever it is given. The tests of wpaas-core try it with what is kept in `seeds`.

pub mod archive;
pub mod code;
pub mod names;
pub mod report;
pub mod spec;
