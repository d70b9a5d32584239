//! placeholder until wired
pub fn rows() -> anyhow::Result<Vec<crate::Row>> { Ok(Vec::new()) }
