//! Condition text in, checked tree out: Falco's grammar, nothing about fields or macros yet.

pub(crate) mod ast;
mod complaint;
mod display;
mod escape;
mod lexer;
mod parser;

pub(crate) use parser::parse;
