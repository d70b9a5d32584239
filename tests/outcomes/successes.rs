//! Programs that do what they may.

use std::os::unix::fs::symlink;

use airlock_sandbox::context::{MetadataEntry, MetadataValue};
use airlock_sandbox::partition::{PartitionKey, Partitions, TimeWindow};
use airlock_sandbox::report::Failure;
use serde_json::json;

use crate::assert_nothing_left;
use crate::support::{Lab, days};

programs! {
    fn clock_is_coarse() {
        Lab::program("clock_is_coarse").store("").outcome.unwrap();
    }

    fn empty_environment() {
        let lab = Lab::program("empty_environment");
        let report = lab.store("");
        report.outcome.unwrap();
        assert_eq!(report.receipt.environment, Some(0));
        let mut lab = Lab::program("empty_environment").config(json!({ "environment": { "TZ": "UTC" } }));
        lab.environment.insert("TZ".into(), "UTC".into());
        lab.store("").outcome.unwrap();
    }

    fn keeps_no_state() {
        let lab = Lab::program("keeps_no_state");
        for _ in 0..3 {
            lab.store("").outcome.unwrap();
            lab.load().outcome.unwrap();
        }
    }

    fn leaves_handles_open() {
        let open = || std::fs::read_dir("/proc/self/fd").unwrap().count();
        let lab = Lab::program("leaves_handles_open");
        lab.store("x").outcome.unwrap();
        // Other tests open and close files meanwhile; what a call leaves would add up.
        let before = open();
        for _ in 0..200 {
            lab.store("x").outcome.unwrap();
            drop(lab.load().outcome.unwrap());
        }
        assert!(open() < before + 200, "{before} descriptors were open before, {} after", open());
    }

    fn misused_value_is_an_error() {
        let lab = Lab::program("misused_value_is_an_error");
        lab.store("value").outcome.unwrap();
        assert_eq!(lab.load_text(), "value");
    }

    fn records_hostile_text() {
        // What the command shows of it is the matter of a test of the command.
        let stored = Lab::program("records_hostile_text").store("x").outcome.unwrap();
        assert_eq!((stored.metadata.len(), stored.events.len()), (4, 1));
    }

    fn records_what_it_does() {
        let stored = Lab::program("records_what_it_does").store("x").outcome.unwrap();
        let labels: Vec<&str> = stored.metadata.iter().map(|entry| entry.label.as_str()).collect();
        assert_eq!((labels, stored.events.len()), (vec!["by", "refused"], 2));
    }

    fn sets_a_version() {
        let stored = Lab::program("sets_a_version").store("x").outcome.unwrap();
        assert_eq!(stored.data_version.as_deref(), Some("version 7"));
    }

    fn stores_awkward_names() {
        let lab = Lab::program("stores_awkward_names");
        let report = lab.store("");
        let written = report.receipt.written.files.iter().map(|file| file.path.as_str());
        let told: Vec<&str> = written.chain(report.receipt.denials.list.iter().map(|denial| denial.subject.as_str())).collect();
        assert!(!told.iter().any(|path| path.contains(|c: char| c.is_control() || c == '\u{202e}')), "{told:#?}");
        assert!(told.contains(&"/data/sales/orders.d/\\u{1b}[31mred"), "{told:#?}");
        report.outcome.unwrap();
        assert_eq!(lab.files("data").len(), 9);
    }

    fn stores_by_std_fs() {
        let lab = Lab::program("stores_by_std_fs");
        for value in ["first", "the second, longer value", "3"] {
            lab.store(value).outcome.unwrap();
            assert_eq!((lab.files("data"), lab.load_text()), (vec!["sales/orders.bin".into()], value.into()));
        }
        assert_nothing_left(&lab);
    }

    fn stores_every_text() {
        let lab = Lab::program("stores_every_text");
        symlink(lab.path("outside"), lab.path("data/link")).unwrap();
        lab.store("x").outcome.unwrap();
        let told = lab.read("data/sales/orders.bin");
        assert!(told.contains("denied") || told.contains("not permitted"), "{told}");
        let home = std::env::var("HOME").unwrap();
        for secret in [lab.path("").to_str().unwrap(), "/tmp", &home, "HOME", "PATH"] {
            assert!(!told.contains(secret), "it was told {secret}: {told}");
        }
    }

    fn stores_many_files() {
        let lab = Lab::program("stores_many_files").config(json!({ "piece": 1 }));
        for value in ["abc", "defgh", "i"] {
            lab.store(value).outcome.unwrap();
            assert_eq!((lab.files("data").len(), lab.load_text()), (value.len(), value.into()));
        }
        assert_nothing_left(&lab);
        // More files than a value holds open: the rest is copied.
        let many = "x".repeat(500);
        lab.store(&many).outcome.unwrap();
        assert_eq!(lab.load_text(), many);
    }

    fn stores_many_partitions() {
        let mut lab = Lab::program("stores_many_partitions");
        lab.partitions = days(&["1"]);
        let stored = lab.store("x").outcome.unwrap();
        assert_eq!((stored.metadata[0].value.clone(), lab.load_text()), (MetadataValue::Int(1), "x".to_owned()));
    }

    fn tells_its_configuration() {
        let stored = Lab::program("tells_its_configuration").store("x").outcome.unwrap();
        assert_eq!(stored.metadata[0].value, MetadataValue::Text("null".to_owned()));
    }

    fn tells_nothing_of_inodes() {
        let lab = Lab::program("tells_nothing_of_inodes");
        lab.write("data/sales/orders.bin", "own");
        std::fs::hard_link(lab.path("data/sales/orders.bin"), lab.path("data/linked")).unwrap();
        lab.store("").outcome.unwrap();
    }

    fn tells_time_and_chance() {
        let told = |lab: Lab| -> Vec<String> {
            lab.store("").outcome.unwrap();
            lab.read("data/sales/orders.d/told").lines().map(str::to_owned).collect()
        };
        // The lines of `one` that differ in `other`, by what they begin with.
        let differ = |one: &[String], other: &[String]| -> Vec<String> {
            let pairs = one.iter().zip(other).filter(|(one, other)| one != other);
            pairs.map(|(line, _)| line.split(':').next().unwrap().to_owned()).collect()
        };
        let clocks = ["wall", "monotonic"];
        let chance = ["random", "insecure", "seed", "hash"];
        let program = || Lab::program("tells_time_and_chance");

        let fixed = told(program().deterministic(1_000_000_000, 1));
        assert!(fixed[0].starts_with("wall: 1000000000.0"), "{fixed:?}");
        assert_eq!(told(program().deterministic(1_000_000_000, 1)), fixed);
        assert_eq!(differ(&told(program().deterministic(2_000_000_000, 1)), &fixed), clocks);
        assert_eq!(differ(&told(program().deterministic(1_000_000_000, 2)), &fixed), chance);
        // Without, it is told the truth.
        let (one, other) = (told(program()), told(program()));
        let chance_differs = differ(&one, &other).iter().filter(|line| chance.contains(&line.as_str())).count();
        assert_eq!(chance_differs, chance.len(), "{one:?} {other:?}");
        assert!(*one[0] > *"wall: 1700000000", "{one:?}");
    }

    fn tells_what_is_recorded() {
        let lab = Lab::program("tells_what_is_recorded");
        // Nothing is recorded where no pipeline is.
        assert!(matches!(lab.load().outcome, Err(Failure::Guest { error }) if error.code == "not-found"));
    }

    fn tells_what_it_loads() {
        let mut lab = Lab::program("tells_what_it_loads");
        let window = TimeWindow { start_ms: 0, end_ms: 9 };
        lab.partitions = Partitions::new(vec![PartitionKey::single("days", "1")], Some(window), Some("UTC".to_owned()));
        let entry = |label: &str, value| MetadataEntry { label: label.to_owned(), value };
        let told = entry("told", MetadataValue::Text("days=1 from 0 to 9 in UTC".to_owned()));
        assert_eq!(lab.store("x").outcome.unwrap().metadata, std::slice::from_ref(&told));
        let file = MetadataValue::Tagged("path".to_owned(), "/data/sales/orders/days=1.bin".to_owned());
        assert_eq!(lab.load().outcome.unwrap().metadata, [entry("file", file), told]);
    }
}
