//! x
use airlock_sdk::*;
struct Files;
impl PathIoManager for Files {
    fn extension() -> &'static str { "bin" }
    fn dump_to_path(_: &OutputContext, part: &mut Reader, path: &std::path::Path) -> Result<(), Error> { part.save(path)?; Ok(()) }
    fn load_from_path(_: &InputContext, path: &std::path::Path, part: NewPart) -> Result<(), Error> { part.begin("x/y")?.load(path)?; Ok(()) }
}
export!(Files);
manifest!("../manifest.json");
