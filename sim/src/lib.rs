//! Both hearts under a virtual clock and a bad network.
