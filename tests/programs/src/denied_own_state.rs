//! With a mount of scope `mount`: looks into the directory in which Airlock keeps its own, and writes there. Each must be
//! denied, and a listing of the mount must not show it.

use std::fs;

use airlock_sdk::{Error, OutputContext, Source};

pub struct Program;

impl crate::Program for Program {
    fn store(_context: &OutputContext, value: &mut Source) -> Result<(), Error> {
        let mut refusals = crate::Refusals::default();
        let seen = fs::read_dir("/data")?.flatten().find(|entry| entry.file_name() == ".airlock");
        refusals.expect("list the mount", seen.ok_or("it is not listed"));
        refusals.expect("list it", fs::read_dir("/data/.airlock").map(Iterator::count));
        refusals.expect("write", fs::write("/data/.airlock/plan", "forged"));
        refusals.expect("make", fs::create_dir_all("/data/.airlock/forged"));
        refusals.expect("another case", fs::write("/data/.AIRLOCK/plan", "forged"));
        refusals.expect("rename", fs::rename("/data/.airlock", "/data/taken"));
        refusals.expect("remove", fs::remove_dir_all("/data/.airlock"));
        refusals.expect("save", value.single()?.save("/data/.airlock/plan"));
        refusals.finish()
    }
}
