//! What the sandbox is about to offer, until it does.
#![expect(missing_docs, reason = "it goes when the sandbox is there")]

#[derive(Clone, Debug, Default)]
pub struct Sandbox;

#[derive(Clone, Debug, Default)]
pub struct Interrupt;
