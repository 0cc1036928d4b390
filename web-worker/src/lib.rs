//! The worker in a browser tab.
