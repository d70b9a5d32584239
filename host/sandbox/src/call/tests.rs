use std::collections::BTreeMap;

use wasmtime::component::Linker as ComponentLinker;

use super::*;
use crate::limits::Limits;

/// A component that calls the function `boom` of the host.
const CALLS_BOOM: &str = r#"(component
    (import "boom" (func $boom))
    (core func $lowered (canon lower (func $boom)))
    (core module $m (import "" "boom" (func $boom)) (func (export "run") (call $boom)))
    (core instance $i (instantiate $m (with "" (instance (export "boom" (func $lowered))))))
    (func (export "run") (canon lift (core func $i "run"))))"#;
/// A component that stores, as far as its exports tell.
const STORES: &str = r#"(component
    (core module $m (func (export "f")))
    (core instance $i (instantiate $m))
    (func $f (canon lift (core func $i "f")))
    (instance $output (export "handle-output" (func $f)))
    (export "airlock:io/output@0.1.0" (instance $output)))"#;

fn context() -> OpContext {
    OpContext {
        run_id: "run".to_owned(),
        step_key: "step".to_owned(),
        attempt: 1,
        config: serde_json::Value::Null,
        partitions: crate::partition::Partitions::default(),
        inputs: Vec::new(),
        outputs: Vec::new(),
    }
}

/// What becomes of a call whose guest calls a function of the host that does `boom`.
fn call_with(sandbox: &Sandbox, boom: fn() -> wasmtime::Result<()>) -> Result<(), Failure> {
    let engine = &sandbox.0.engine;
    let compiled = wasmtime::component::Component::new(engine, wat::parse_str(CALLS_BOOM).unwrap()).unwrap();
    let mut linker: ComponentLinker<State> = ComponentLinker::new(engine);
    linker.root().func_wrap("boom", move |_, (): ()| boom()).unwrap();
    // What is called is not what was loaded, which only stands for it.
    let component = sandbox.load_bytes("guest", &wat::parse_str(STORES).unwrap()).unwrap();
    let grant = Grant::new(Vec::new(), BTreeMap::new(), Limits::default()).unwrap();
    let budget = Budget::new(0, std::env::temp_dir());
    let interrupt = Interrupt::new();
    let call = Call {
        component: &component,
        grant: &grant,
        budget: &budget,
        interrupt: &interrupt,
        strict: false,
        deterministic: None,
    };
    let enter = async |store: &mut Store<State>| {
        let instance = linker.instantiate_async(&mut *store, &compiled).await?;
        let run = instance.get_typed_func::<(), ()>(&mut *store, "run")?;
        run.call_async(&mut *store, ()).await.map(Ok)
    };
    sandbox.perform(&call, Intent::Store, &[], Subject::op(context()), Vec::new(), enter, |_| ()).outcome
}

#[test]
fn a_panic_of_a_host_function_is_a_fault_of_ours_and_the_next_call_runs() {
    let sandbox = Sandbox::new(&Settings::default()).unwrap();
    for _ in 0..3 {
        let panicked = call_with(&sandbox, || panic!("a fault"));
        assert_eq!(panicked, Err(Failure::Host { reason: "a host function panicked".to_owned() }));
        assert_eq!(call_with(&sandbox, || Ok(())), Ok(()));
    }
}
