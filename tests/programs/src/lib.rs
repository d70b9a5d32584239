//! Guests that misbehave, in one component: the configuration says which one a call runs, `{ "program": "limit_memory" }`.
//!
//! Each program is a file named by the outcome that it must have. It stores, loads or does both; where it does not say
//! how, the value is stored as `bin` and loaded from there.

#![cfg(target_family = "wasm")]

mod refusals;

use airlock_sdk::{Error, InputContext, InputManager, OutputContext, OutputManager, Sink, Source};
use serde::Deserialize;

use refusals::Refusals;

/// What a call of one program does.
trait Program {
    fn store(context: &OutputContext, value: &mut Source) -> Result<(), Error> {
        value.single()?.save(context.file(None, "bin")?)?;
        Ok(())
    }

    fn load(context: &InputContext, value: &mut Sink) -> Result<(), Error> {
        value.begin(None, "application/octet-stream")?.load(context.file(None, "bin")?)?;
        Ok(())
    }
}

macro_rules! programs {
    ($($name:ident),* $(,)?) => {
        $(mod $name;)*

        fn store(name: &str, context: &OutputContext, value: &mut Source) -> Result<(), Error> {
            match name {
                $(stringify!($name) => $name::Program::store(context, value),)*
                _ => Err(no_such(name)),
            }
        }

        fn load(name: &str, context: &InputContext, value: &mut Sink) -> Result<(), Error> {
            match name {
                $(stringify!($name) => $name::Program::load(context, value),)*
                _ => Err(no_such(name)),
            }
        }
    };
}

programs! {
    clock_is_coarse,
    denied_device,
    denied_fifo,
    denied_link_making,
    denied_network,
    denied_other_output,
    denied_other_partition,
    denied_own_state,
    denied_parent_directory,
    denied_passwd,
    denied_paths,
    denied_swapped_directory,
    denied_symlink,
    denied_write_on_load,
    denied_write_on_read_mount,
    empty_environment,
    flaky_load,
    flaky_store,
    guest_error,
    holds_all_it_can,
    keeps_no_state,
    leaves_handles_open,
    lies_where_metadata_says,
    limit_cpu_time_looping,
    limit_descriptors,
    limit_directory_entries,
    limit_disk,
    limit_disk_sparse,
    limit_files,
    limit_handles,
    limit_host_call,
    limit_memory,
    limit_metadata,
    limit_path_depth,
    limit_random,
    limit_stack,
    limit_time_sleeping,
    limit_value,
    log_is_bounded,
    misused_value_is_an_error,
    records_hostile_text,
    records_what_it_does,
    sets_a_version,
    slow_store,
    stores_awkward_names,
    stores_by_std_fs,
    stores_every_text,
    stores_many_files,
    stores_many_partitions,
    tells_its_configuration,
    tells_nothing_of_inodes,
    tells_of_a_full_disk,
    tells_time_and_chance,
    tells_what_is_recorded,
    tells_what_it_loads,
    trap_exit,
    trap_half_way,
    trap_unpermitted_write,
}

fn no_such(name: &str) -> Error {
    Error::invalid_config(format!("there is no program {name:?}"))
}

/// The part of the configuration that every program has.
#[derive(Deserialize)]
struct Config {
    program: String,
}

struct Programs;

impl OutputManager for Programs {
    fn handle_output(context: &OutputContext, value: &mut Source) -> Result<(), Error> {
        store(&context.config::<Config>()?.program, context, value)
    }
}

impl InputManager for Programs {
    fn load_input(context: &InputContext, value: &mut Sink) -> Result<(), Error> {
        load(&context.config::<Config>()?.program, context, value)
    }
}

airlock_sdk::export!(Programs);
airlock_sdk::manifest!("../manifest.json");
