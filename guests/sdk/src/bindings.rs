//! What wit-bindgen makes of `wit/`: the interfaces once, and the exports of each world.

#![allow(missing_docs, clippy::pedantic, clippy::restriction, clippy::all, reason = "generated code")]

wit_bindgen::generate!({ path: "../../wit", world: "imports", additional_derives: [PartialEq] });

/// The export of a guest that stores.
pub mod output_manager {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "output-manager",
        with: {
            "airlock:io/types@0.1.0": crate::bindings::airlock::io::types,
            "airlock:io/value@0.1.0": crate::bindings::airlock::io::value,
            "airlock:io/context@0.1.0": crate::bindings::airlock::io::context,
        },
        pub_export_macro: true,
        export_macro_name: "export_world",
    });
}

/// The export of a guest that loads.
pub mod input_manager {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "input-manager",
        with: {
            "airlock:io/types@0.1.0": crate::bindings::airlock::io::types,
            "airlock:io/value@0.1.0": crate::bindings::airlock::io::value,
            "airlock:io/context@0.1.0": crate::bindings::airlock::io::context,
        },
        pub_export_macro: true,
        export_macro_name: "export_world",
    });
}

/// The export of a guest that computes.
pub mod op_component {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "op-component",
        with: {
            "airlock:io/types@0.1.0": crate::bindings::airlock::io::types,
            "airlock:io/value@0.1.0": crate::bindings::airlock::io::value,
        },
        pub_export_macro: true,
        export_macro_name: "export_world",
    });
}
