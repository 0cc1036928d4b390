//! A small set of components on semantic HTML. Colour is never the only sign, and everything works by keyboard.
pub mod announce;
pub mod badge;
pub mod brand;
pub mod canvas;
pub mod chart;
pub mod confirm;
pub mod copy;
pub mod explain;
pub mod field;
pub mod link_mark;
pub mod meter;
pub mod nav;
pub mod notice;
pub mod stat;
pub mod theme;
pub mod time;
