//! Guests that attack, each run by the command as an I/O manager, and the table of `docs/reliability.md` that lists them.
//!
//! An attack is one of the programs under `tests/programs`, or WebAssembly text under `tests/hostile` where no compiler would
//! make what it does. It is contained where it ends as the table says, nothing that it was not lent has changed, and the step
//! after it, in the same process, stores its value.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

#[path = "hostile/attacks.rs"]
mod attacks;
#[path = "support/functions.rs"]
mod functions;
#[path = "support/pattern.rs"]
mod pattern;
#[path = "support/project.rs"]
#[expect(dead_code, reason = "each test file uses its part of it")]
mod project;

use std::collections::{BTreeMap, BTreeSet};

use attacks::{ATTACKS, Attack, Guest, Way};
use functions::functions;
use nix::sys::resource::{UsageWho, getrusage};
use project::{Project, Ran, guest, repository};
use serde_json::Value;

/// The ids of the attacks, and how many each letter has.
const IDS: [(&str, usize); 4] = [("P", 14), ("R", 20), ("I", 8), ("C", 5)];
/// Memory that the largest host process may have taken, compiling included: each guest here is allowed 64 MiB.
const HOST_MEMORY: i64 = 512 << 20;
/// What lies outside of what a guest is lent, or was there before.
const SECRET: &str = "a canary that no guest may see";

/// A row of the table.
struct Row {
    id: String,
    held_by: Vec<String>,
    outcome: String,
    exit: String,
}

fn table() -> Vec<Row> {
    let document = std::fs::read_to_string(repository().join("docs/reliability.md")).unwrap();
    let (_, section) = document.split_once("## Hostile guests").unwrap();
    let lines = section.lines().take_while(|line| !line.starts_with("## "));
    let rows = lines.filter(|line| line.starts_with("| ") && !line.starts_with("| id "));
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_end_matches('|').split('|').skip(1).map(str::trim).collect();
        let [id, tries, held_by, outcome, exit] = cells.as_slice() else { panic!("{row}") };
        assert!(!tries.is_empty() && !outcome.is_empty(), "{row}");
        let names = held_by.split(", ").filter(|name| !name.is_empty());
        let held_by = names.map(|name| name.trim_matches('`').to_owned()).collect();
        Row { id: (*id).to_owned(), held_by, outcome: (*outcome).to_owned(), exit: (*exit).to_owned() }
    })
    .collect()
}

#[test]
fn every_attack_has_a_row_and_none_is_open() {
    let known = functions(&["tests", "host"]);
    let rows = table();
    let mut ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
    ids.dedup();
    let all = IDS.iter().flat_map(|(letter, last)| (1..=*last).map(move |number| format!("{letter}{number}")));
    assert_eq!(ids, all.chain(["control".to_owned()]).collect::<Vec<_>>());
    let mut run = BTreeSet::new();
    for row in &rows {
        let reason = row.outcome.strip_prefix("not the host's: ");
        assert_eq!(
            row.held_by.is_empty(),
            reason.is_some(),
            "{} is held by nothing, or says that it is not the host's",
            row.id
        );
        for name in &row.held_by {
            if row.exit == "–" {
                assert!(known.contains(name), "{} is held by the test `{name}`, which is not there", row.id);
            } else {
                assert!(ATTACKS.iter().any(|attack| attack.name == name), "{}: there is no attack `{name}`", row.id);
                run.insert(name.as_str());
            }
        }
    }
    let unlisted: Vec<&str> = ATTACKS.iter().map(|attack| attack.name).filter(|name| !run.contains(name)).collect();
    assert_eq!(unlisted, Vec::<&str>::new(), "these attacks are in no row");
}

#[test]
fn every_attack_is_contained() {
    let became: BTreeMap<&str, Contained> = ATTACKS.iter().map(|attack| (attack.name, contain(attack))).collect();
    let mut wrong: Vec<String> = became
        .iter()
        .flat_map(|(name, became)| became.problems.iter().map(move |problem| format!("{name}: {problem}")))
        .collect();
    println!("{:<4} {:<44} {:<10} EXIT", "ID", "GUEST OR TEST", "OUTCOME");
    for row in table() {
        for name in &row.held_by {
            println!("{:<4} {:<44} {:<10} {}", row.id, name, row.outcome, row.exit);
            if let Some(became) = became.get(name.as_str()).filter(|_| row.exit != "–")
                && (became.outcome != row.outcome || became.exit.to_string() != row.exit)
            {
                wrong.push(format!(
                    "{name}: {} says {} with {}, and it was {} with {}",
                    row.id, row.outcome, row.exit, became.outcome, became.exit
                ));
            }
        }
        if row.held_by.is_empty() {
            println!("{:<4} {}", row.id, row.outcome);
        }
    }
    let largest = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap().max_rss() << 10;
    println!("{} guests contained, none open; the largest host process took {} MiB", became.len(), largest >> 20);
    assert!(largest <= HOST_MEMORY, "a host process took {largest} bytes");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What became of an attack.
struct Contained {
    /// What class of failure it was, or `done`.
    outcome: String,
    exit: i32,
    problems: Vec<String>,
}

fn contain(attack: &Attack) -> Contained {
    let project = project_of(attack);
    std::fs::create_dir_all(project.path("outside")).unwrap();
    for (file, text) in
        [("outside/secret", SECRET), ("data/sales/orders.bin", "kept"), ("data/sales/other.bin", SECRET)]
    {
        project.put(file, text);
    }
    (attack.prepare)(&project);
    let before = files(&project);
    let mut command = project.command(&["run", "--format", "json", "--jobs", "1"]);
    command.env("AIRLOCK_CANARY", SECRET);
    let ran = Ran::from(command.output().unwrap());
    let mut problems = Vec::new();
    let mut expect = |holds: bool, problem: String| {
        if !holds {
            problems.push(problem);
        }
    };
    let told = format!("{}{}", ran.stdout, ran.stderr);
    expect(told.contains(attack.says), format!("it does not say {:?}: {ran:#?}", attack.says));
    expect(!told.contains(SECRET), format!("it tells a secret: {ran:#?}"));
    expect(is_plain(&told), format!("what it tells is not plain text: {ran:#?}"));
    let outcome = match serde_json::from_str::<Value>(&ran.stdout) {
        Ok(document) => {
            let steps = document["run"]["steps"].as_array().unwrap().clone();
            let step = |name: &str| steps.iter().find(|step| step["name"] == name).unwrap().clone();
            let attacked = step(attack.way.step());
            expect(step("after")["status"] == "succeeded", format!("the step after it did not succeed: {ran:#?}"));
            if attacked["status"] == "succeeded" {
                "done".to_owned()
            } else {
                attacked["failure"]["class"].as_str().unwrap_or("none").to_owned()
            }
        }
        // Nothing was begun.
        Err(_) => "definitions".to_owned(),
    };
    let own = |file: &String| outcome == "done" && file.starts_with("data/sales/orders");
    let after = files(&project);
    for file in before.keys().chain(after.keys()).collect::<BTreeSet<_>>() {
        let same = before.get(file) == after.get(file);
        let secrets = [SECRET, project.path("").to_str().unwrap_or_default(), "AIRLOCK_CANARY"].map(str::to_owned);
        let told = after.get(file).filter(|_| !same).cloned().unwrap_or_default();
        expect(!secrets.iter().any(|secret| told.contains(secret)), format!("{file} holds a secret: {told}"));
        expect(same || own(file), format!("{file} has changed from {:?} to {:?}", before.get(file), after.get(file)));
    }
    Contained { outcome, exit: ran.code.unwrap_or(-1), problems }
}

/// Whether `text` holds nothing that drives a terminal or turns a line round, and no line commands a CI system.
fn is_plain(text: &str) -> bool {
    let harmful = |c: char| c.is_control() && c != '\n' && c != '\t' || "\u{200b}\u{202e}\u{feff}".contains(c);
    let commands = |line: &str| line.trim_start().starts_with("::") || line.replace("\\##[", "").contains("##[");
    !text.contains(harmful) && !text.lines().any(commands)
}

#[test]
fn text_of_a_component_is_harmless_whatever_shows_it() {
    let attack = ATTACKS.iter().find(|attack| attack.name == "records_hostile_text").unwrap();
    let project = project_of(attack);
    let manifest = serde_json::json!({
        "name": HOSTILE, "version": HOSTILE, "description": HOSTILE, "values": [HOSTILE],
        "config": { "type": "object", "description": HOSTILE, "properties": { HOSTILE: { "description": HOSTILE } } },
        "mounts": [{ "path": HOSTILE, "access": "read", "reason": HOSTILE }],
        "environment": [{ "name": HOSTILE, "reason": HOSTILE }],
    });
    let escaped = manifest.to_string().bytes().fold(String::new(), |text, byte| text + &format!("\\{byte:02x}"));
    let component = format!(
        "(component (@custom \"airlock:manifest\" \"{escaped}\") (core module $m (func (export \"f\"))) \
         (core instance $i (instantiate $m)) (func $f (canon lift (core func $i \"f\"))) \
         (instance $o (export \"handle-output\" (func $f))) (export \"airlock:io/output@0.1.0\" (instance $o)))"
    );
    std::fs::write(project.path("named.wasm"), wat::parse_str(component).unwrap()).unwrap();
    project.put("named.toml", "[io.named]\ncomponent = \"named.wasm\"\nconfig = { wrong = 1 }\n");
    for arguments in [
        "run",
        "run --format json",
        "run --format jsonl",
        "ls",
        "show sales/orders",
        "show sales/orders --format json",
        "runs",
        "events latest",
        "events latest --format json",
        "events latest --format jsonl",
        "logs latest",
        "logs latest sales/orders",
        "inspect named.wasm",
        "inspect named.wasm --format json",
        "check --file named.toml",
        "check --file named.toml --format json",
        "call named.wasm handle-output --asset a",
        "call named.wasm handle-output --asset a --config {\"wrong\":1}",
    ] {
        let ran = project.run(&arguments.split(' ').collect::<Vec<_>>());
        let told = format!("{}{}", ran.stdout, ran.stderr);
        assert!(!told.is_empty() && told.len() < 1 << 20, "{arguments}: {} bytes", told.len());
        assert!(is_plain(&told), "{arguments}: {told:?}");
    }
}

/// What would drive a terminal, turn a line round or command a CI system.
const HOSTILE: &str =
    "\u{1b}]0;owned\u{7}\u{1b}[31mred\r\u{8}\u{9b}2J\u{202e}gnp\u{200b}\n::error::owned\n##[command]owned";

/// What lies in the project apart from what Airlock keeps, and what the step after the attack stores: each file with its
/// content, each link with where it leads.
fn files(project: &Project) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let mut folders = vec![project.path("data"), project.path("outside")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let (path, kind) = (entry.path(), entry.file_type().unwrap());
            let name = path.strip_prefix(project.path("")).unwrap().display().to_string();
            if kind.is_symlink() {
                files.insert(name, std::fs::read_link(&path).unwrap().display().to_string());
            } else if kind.is_dir() && entry.file_name() != ".airlock" {
                files.insert(name, "a directory".to_owned());
                folders.push(path);
            } else if kind.is_file() {
                files.insert(name, String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned());
            }
        }
    }
    files
}

/// Definitions by which the guest of `attack` stores or loads `sales/orders`, and another step follows.
fn project_of(attack: &Attack) -> Project {
    let (component, config) = match attack.guest {
        Guest::Program(config) => {
            let mut config: Value = serde_json::from_str(config).unwrap();
            config["program"] = config.get("program").cloned().unwrap_or_else(|| attack.name.into());
            (guest("test-programs"), config)
        }
        Guest::Text | Guest::Bomb(_) => ("guest.wasm".to_owned(), Value::Null),
    };
    let config = if config.is_null() { String::new() } else { format!("config = {}\n", inline(&config)) };
    let steps = match attack.way {
        Way::Store => {
            "[assets.\"sales/orders\"]\nio = \"guest\"\ntype = \"bytes\"\ncommand = [\"sh\", \"-c\", 'printf new > $AIRLOCK_OUTPUT']\n"
        }
        Way::Load => {
            "[assets.\"sales/orders\"]\nio = \"guest\"\ntype = \"bytes\"\nexternal = true\n\
             [assets.loaded]\ntype = \"none\"\ninputs = [\"sales/orders\"]\ncommand = [\"true\"]\n"
        }
    };
    let project = Project::of(&format!(
        "[defaults]\nio = \"lake\"\n\
         [io.lake]\ncomponent = \"builtin:files\"\nmounts.\"/data\" = {{ path = \"lake\", access = \"write\" }}\n\
         [io.guest]\ncomponent = {component:?}\n{config}{}\n{}\n{steps}\
         [assets.after]\ntype = \"text\"\ncommand = [\"sh\", \"-c\", 'printf after > $AIRLOCK_OUTPUT']\n",
        attack.mounts, attack.limits,
    ));
    match attack.guest {
        Guest::Text => std::fs::write(project.path("guest.wasm"), assemble(attack.name)).unwrap(),
        Guest::Bomb(text) => std::fs::write(project.path("guest.wasm"), wat::parse_str(text()).unwrap()).unwrap(),
        Guest::Program(_) => {}
    }
    project
}

/// A JSON object as a table of TOML on one line.
fn inline(value: &Value) -> String {
    match value {
        Value::Object(entries) => {
            let entries: Vec<String> =
                entries.iter().map(|(key, value)| format!("{key:?} = {}", inline(value))).collect();
            format!("{{ {} }}", entries.join(", "))
        }
        other => other.to_string(),
    }
}

/// The component of the WebAssembly text `name`: as it is where it is a component, otherwise what stores around it.
fn assemble(name: &str) -> Vec<u8> {
    let read = |name: &str| std::fs::read_to_string(repository().join("tests/hostile").join(name)).unwrap();
    let text = read(&format!("{name}.wat"));
    if text.contains("(component") {
        return wat::parse_str(text).unwrap();
    }
    let memory = if text.contains("(core module $memory") { String::new() } else { read("memory.wat") };
    wat::parse_str(read("manager.wat").replace("  ;;; the attack", &format!("{memory}{text}"))).unwrap()
}
