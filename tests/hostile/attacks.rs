//! The attacks: who makes each, and what is said of it when it was stopped.

use std::os::unix::fs::symlink;

use rustix::fs::{CWD, FileType, Mode};

use crate::project::Project;

/// An attack.
pub struct Attack {
    /// As in the table; of a program or a text its name.
    pub name: &'static str,
    pub guest: Guest,
    pub way: Way,
    /// What it is lent, as a line of the definitions.
    pub mounts: &'static str,
    /// What it may use, likewise.
    pub limits: &'static str,
    /// What is said of it.
    pub says: &'static str,
    /// What others put in its way.
    pub prepare: fn(&Project),
}

/// Who attacks.
pub enum Guest {
    /// One of `tests/programs`, with this configuration. It is called as the attack, unless the configuration says how.
    Program(&'static str),
    /// A text of `tests/hostile` that is called as the attack.
    Text,
    /// A text that is put together here.
    Bomb(fn() -> String),
}

/// What it is called to do.
#[derive(Clone, Copy)]
pub enum Way {
    Store,
    Load,
}

impl Way {
    /// The step in which it is called.
    pub fn step(self) -> &'static str {
        match self {
            Self::Store => "sales/orders",
            Self::Load => "loaded",
        }
    }
}

const LENT: &str = r#"mounts."/data" = { path = "data", access = "write" }"#;
const LIMITS: &str = r#"limits = { memory = "64MiB", time = "20s", disk = "8MiB", files = 50 }"#;
const SHORT: &str = r#"limits = { memory = "80MiB", time = "20s", cpu_time = "100ms" }"#;
const SHORT_TIME: &str = r#"limits = { memory = "64MiB", time = "100ms" }"#;

const fn program(name: &'static str, config: &'static str, says: &'static str) -> Attack {
    let (way, mounts, limits) = (Way::Store, LENT, LIMITS);
    Attack { name, guest: Guest::Program(config), way, mounts, limits, says, prepare: |_| () }
}

const fn text(name: &'static str, says: &'static str) -> Attack {
    Attack { guest: Guest::Text, ..program(name, "", says) }
}

const fn bomb(name: &'static str, make: fn() -> String, says: &'static str) -> Attack {
    Attack { guest: Guest::Bomb(make), ..program(name, "", says) }
}

/// Links out of the mount, beside the value.
fn links(project: &Project) {
    for (name, target) in [("lnk", "outside/secret"), ("lnkdir", "outside")] {
        symlink(project.path(target), project.path("data/sales").join(format!("orders.{name}"))).unwrap();
    }
}

fn fifo(project: &Project) {
    let path = project.path("data/sales/orders.fifo");
    rustix::fs::mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
}

/// A socket, which any user can make, in the place of a device.
fn socket(project: &Project) {
    drop(std::os::unix::net::UnixListener::bind(project.path("data/sales/orders.socket")).unwrap());
}

fn many_entries(project: &Project) {
    for number in 0..10_001 {
        project.put(&format!("data/sales/orders.d/{number}"), "");
    }
}

/// A component that stores, with `module` in it that nothing calls.
fn with_module(module: &str) -> String {
    format!("(component (core module {module}) (instance $o) (export \"airlock:io/output@0.1.0\" (instance $o)))")
}

fn blocks() -> String {
    with_module(&format!("(func (param i32) {})", "(if (local.get 0) (then))".repeat(600_000)))
}

fn loads() -> String {
    with_module(&format!("(memory 1) (func {})", "(drop (i32.load (i32.const 0)))".repeat(500_000)))
}

fn functions() -> String {
    with_module(&"(func)".repeat(200_001))
}

fn modules() -> String {
    format!(
        "(component {} (instance $o) (export \"airlock:io/output@0.1.0\" (instance $o)))",
        "(core module)".repeat(70)
    )
}

/// Components of which each instantiates the one before twice: a kilobyte that stands for a thousand million instances.
fn instances() -> String {
    let twice = |index: usize| {
        let inner = index - 1;
        format!(
            "(component $c{index} (alias outer 1 $c{inner} (component $i)) (instance (instantiate $i)) (instance (instantiate $i)))"
        )
    };
    let components: String = (1..30).map(twice).collect();
    format!(
        "(component (component $c0) {components} (instance (instantiate $c29)) (instance $o) (export \"airlock:io/output@0.1.0\" (instance $o)))"
    )
}

fn nesting() -> String {
    format!(
        "(component {}{} (instance $o) (export \"airlock:io/output@0.1.0\" (instance $o)))",
        "(component ".repeat(20),
        ")".repeat(20)
    )
}

/// A component whose manifest is longer than one may be.
fn manifest() -> String {
    format!(
        "(component (@custom \"airlock:manifest\" \"{}\") (instance $o) (export \"airlock:io/output@0.1.0\" (instance $o)))",
        " ".repeat(300_000)
    )
}

/// Every attack, in the order of their rows.
pub const ATTACKS: &[Attack] = &[
    program("denied_passwd", "{}", "read /etc/passwd: no mount covers it"),
    program("denied_parent_directory", "{}", "it leads out of /data"),
    Attack { prepare: links, ..program("denied_paths", "{}", "it leads out of /data") },
    Attack { prepare: links, ..program("denied_symlink", "{}", "only regular files and directories are lent") },
    program("denied_link_making", "{}", "link /data/sales/orders.link: only regular files and directories are lent"),
    Attack {
        mounts: r#"mounts."/machine" = { path = "/proc", access = "read", scope = "mount" }"#,
        name: "lent_proc",
        ..program("denied_passwd", r#"{"program": "denied_passwd"}"#, "/proc cannot be lent")
    },
    Attack { prepare: fifo, ..program("denied_fifo", "{}", "only regular files and directories are lent") },
    Attack {
        prepare: socket,
        ..program("denied_device", r#"{"extension": "socket"}"#, "only regular files and directories")
    },
    program("limit_disk_sparse", r#"{"bytes": 1099511627776}"#, "it wrote more than 8 MiB"),
    Attack { way: Way::Load, ..program("denied_write_on_load", "{}", "/data is read-only while a value is loaded") },
    program("denied_other_output", r#"{"other": "sales/other.bin"}"#, "this call may touch sales/orders.* only"),
    program("stores_awkward_names", "{}", "after"),
    program(
        "limit_host_call",
        r#"{"kind": "path", "bytes": 9437184}"#,
        "it passed more than 8 MiB to the host in one call",
    ),
    program("tells_nothing_of_inodes", "{}", "after"),
    Attack { limits: SHORT, ..program("limit_cpu_time_looping", "{}", "it computed for longer than 100 ms") },
    Attack { limits: SHORT, ..text("fills_memory", "it computed for longer than 100 ms") },
    Attack { limits: SHORT, ..text("loops_at_start", "it computed for longer than 100 ms") },
    program("limit_stack", "{}", "its calls nested deeper than the stack of 1 MiB"),
    text("recurses_without_memory", "its calls nested deeper than the stack of 1 MiB"),
    program("limit_memory", "{}", "it asked for more than 64 MiB of memory"),
    text("grows_many_memories", "it asked for more than 64 MiB of memory"),
    text("has_many_memories", "memories"),
    text("wide_memory", "64"),
    text("grows_tables", "it asked for more than 200000 memories, tables, table elements or instances"),
    text("has_many_tables", "tables"),
    bomb("bomb_of_instances", instances, "instances; 1024 are allowed"),
    program("limit_handles", "{}", "it held more than 1024 handles at once"),
    program("limit_descriptors", "{}", "it held more than 128 files and directories open at once"),
    Attack {
        name: "polls_one_handle",
        ..program(
            "limit_host_call",
            r#"{"program": "limit_host_call", "kind": "poll", "bytes": 4194304}"#,
            "it passed more than 8 MiB",
        )
    },
    program("limit_metadata", r#"{"kind": "total"}"#, "it recorded more metadata or events"),
    Attack {
        limits: r#"limits = { memory = "64MiB", time = "60s" }"#,
        ..program("holds_all_it_can", "{}", "held: 100 4 400")
    },
    program("limit_random", "{}", "it asked for more than 1 MiB of random bytes at once"),
    Attack {
        way: Way::Load,
        prepare: many_entries,
        ..program("limit_directory_entries", "{}", "it listed a directory of more than 10000 entries")
    },
    program("trap_unpermitted_write", r#"{"kind": "stdout"}"#, "beyond what check-write allowed"),
    Attack {
        name: "writes_to_a_file_unpermitted",
        ..program("", r#"{"program": "trap_unpermitted_write", "kind": "file"}"#, "than `check-write` permitted")
    },
    program("limit_disk", "{}", "it wrote more than 8 MiB"),
    program("limit_files", "{}", "it made more than 50 files and directories"),
    program("limit_path_depth", "{}", "it used a path of more than 16 segments"),
    program("log_is_bounded", "{}", "after"),
    program("records_hostile_text", "{}", "after"),
    text("traps_under_a_hostile_name", "unreachable"),
    program("guest_error", r#"{"error": "corrupt", "bytes": 1000000}"#, "bytes more)"),
    Attack { limits: SHORT_TIME, ..program("limit_time_sleeping", "{}", "it took longer than 100 ms") },
    program("leaves_handles_open", "{}", "after"),
    program("trap_half_way", "{}", "the guest gave up half-way"),
    program("trap_exit", r#"{"status": 0}"#, "it ended itself with status 0 instead of returning"),
    text("calls_while_it_is_answered", "cannot leave component instance"),
    text("lends_memory_out_of_bounds", "realloc"),
    text("answers_out_of_bounds", "pointer out of bounds of memory"),
    text("answers_an_endless_error", "out of bounds"),
    text("answers_no_such_case", "unexpected discriminant"),
    text("logs_no_text", "invalid utf-8"),
    text("logs_at_no_level", "unexpected discriminant"),
    text("forges_a_handle", "unknown handle index"),
    text("drops_twice", "unknown handle index"),
    text("keeps_what_it_borrowed", "borrow handles still remain"),
    program("empty_environment", "{}", "after"),
    program("clock_is_coarse", "{}", "after"),
    Attack { prepare: links, ..program("stores_every_text", "{}", "after") },
    program("denied_network", "{}", "reach the network by"),
    text("shared_memory", "shared"),
    bomb("bomb_of_blocks", blocks, "bytes in one function; 2097152 are allowed"),
    bomb("bomb_of_loads", loads, "bytes in one function; 2097152 are allowed"),
    bomb("bomb_of_functions", functions, "functions; 200000 are allowed"),
    bomb("bomb_of_modules", modules, "core modules; 64 are allowed"),
    bomb("bomb_of_nesting", nesting, "nested components; 16 are allowed"),
    bomb("bomb_of_manifest", manifest, "bytes of manifest"),
    text("wants_another_contract", "0.2.0"),
    text("stores_otherwise", "has another type than Airlock's"),
    text("wants_http", "wasi:http/outgoing-handler@0.2.0"),
    text("returns", "after"),
];
