//! Rule files in, compiled conditions out: the language, its fields, its diagnostics; shipped rules and workload packs.

pub mod packs;
