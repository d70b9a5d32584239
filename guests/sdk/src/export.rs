//! The macros that make a component of a type.

/// Exports a type that implements [`OutputManager`](crate::OutputManager) and [`InputManager`](crate::InputManager)
/// as a component that stores and loads.
#[macro_export]
macro_rules! export {
    ($manager:ident) => {
        $crate::export_output!($manager);
        $crate::export_input!($manager);
    };
}

/// Exports a type that implements [`OutputManager`](crate::OutputManager) as a component that stores.
#[macro_export]
macro_rules! export_output {
    ($manager:ident) => {
        const _: () = {
            const fn stores<T: $crate::OutputManager>() {}
            stores::<$manager>()
        };
        #[cfg(target_family = "wasm")]
        const _: () = {
            use $crate::bindings::{airlock::io, output_manager as world};
            struct Exported;
            impl world::exports::airlock::io::output::Guest for Exported {
                fn handle_output(
                    context: &io::context::OutputContext,
                    value: &io::value::Source,
                ) -> Result<(), $crate::Error> {
                    $crate::call::handle_output::<$manager>(context, value)
                }
            }
    world::export_world!(Exported with_types_in $crate::bindings::output_manager);
        };
    };
}

/// Exports a type that implements [`InputManager`](crate::InputManager) as a component that loads.
#[macro_export]
macro_rules! export_input {
    ($manager:ident) => {
        const _: () = {
            const fn loads<T: $crate::InputManager>() {}
            loads::<$manager>()
        };
        #[cfg(target_family = "wasm")]
        const _: () = {
            use $crate::bindings::{airlock::io, input_manager as world};
            struct Exported;
            impl world::exports::airlock::io::input::Guest for Exported {
                fn load_input(
                    context: &io::context::InputContext,
                    value: &io::value::Sink,
                ) -> Result<(), $crate::Error> {
                    $crate::call::load_input::<$manager>(context, value)
                }
            }
    world::export_world!(Exported with_types_in $crate::bindings::input_manager);
        };
    };
}

/// Exports a type that implements [`Op`](crate::Op) as a component that computes.
#[macro_export]
macro_rules! export_op {
    ($op:ident) => {
        const _: () = {
            const fn computes<T: $crate::Op>() {}
            computes::<$op>()
        };
        #[cfg(target_family = "wasm")]
        const _: () = {
            use $crate::bindings::op_component as world;
            struct Exported;
            impl world::exports::airlock::io::op::Guest for Exported {
                fn run(context: &world::airlock::io::op_run::OpContext) -> Result<(), $crate::Error> {
                    $crate::call::run::<$op>(context)
                }
            }
    world::export_world!(Exported with_types_in $crate::bindings::op_component);
        };
    };
}

/// Embeds a manifest: the path of a JSON file, relative to the file that says it.
///
/// ```ignore
/// airlock_sdk::manifest!("../manifest.json");
/// ```
#[macro_export]
macro_rules! manifest {
    ($path:literal) => {
        #[cfg(target_family = "wasm")]
        const _: () = {
            #[used]
            #[unsafe(link_section = "airlock:manifest")]
            static MANIFEST: [u8; include_bytes!($path).len()] = *include_bytes!($path);
        };
    };
}
