//! Merged tree and image config in, expected-behaviour profile out. Pure: reads nothing but its arguments.
