//! The keys that each table of the definitions file takes; the JSON schema is compared with them.

/// Of the file.
pub(super) const FILE: &[&str] = &[
    "include",
    "defaults",
    "io",
    "partitions",
    "profile",
    "templates",
    "assets",
    "multi_assets",
    "ops",
    "graphs",
    "jobs",
];
/// Of a file that is included.
pub(super) const INCLUDED_FILE: &[&str] =
    &["io", "partitions", "templates", "assets", "multi_assets", "ops", "graphs", "jobs"];
/// Of `[profile.NAME]`.
pub(super) const PROFILE: &[&str] = &["defaults", "io", "assets"];
/// Of `[defaults]`.
pub(super) const DEFAULTS: &[&str] = &["io"];
/// Of `[io.NAME]`.
pub(super) const IO_MANAGER: &[&str] =
    &["component", "signature", "public_key", "config", "mounts", "environment", "limits", "retry", "parent"];
/// Of `retry` of an I/O manager.
pub(super) const RETRY: &[&str] = &["attempts", "delay", "backoff", "jitter"];
/// Of `mounts."/path"` of an I/O manager.
pub(super) const MOUNT: &[&str] = &["path", "memory", "access", "scope"];
/// Of `mounts."/path"` of an op, which is lent whole.
pub(super) const OP_MOUNT: &[&str] = &["path", "memory", "access"];
/// Of `limits`.
pub(super) const LIMITS: &[&str] = &["memory", "time", "cpu_time", "disk", "files"];
/// Of `[assets.NAME]`; a template takes all but the first.
pub(super) const ASSET: &[&str] = &[
    "template",
    "description",
    "group",
    "owners",
    "tags",
    "kinds",
    "command",
    "component",
    "graph",
    "external",
    "inputs",
    "deps",
    "type",
    "as",
    "schema",
    "media_type",
    "partitions",
    "partitions_per_step",
    "io",
    "config",
    "metadata",
];
/// Of `[multi_assets.NAME]`.
pub(super) const MULTI_ASSET: &[&str] = &[
    "description",
    "group",
    "owners",
    "tags",
    "kinds",
    "command",
    "component",
    "inputs",
    "deps",
    "partitions",
    "partitions_per_step",
    "assets",
];
/// Of `assets."KEY"` of a multi-asset, beside what it shares with the others.
pub(super) const MEMBER: &[&str] = &[
    "output",
    "description",
    "group",
    "owners",
    "tags",
    "kinds",
    "type",
    "as",
    "schema",
    "media_type",
    "io",
    "config",
    "metadata",
];
/// Of an asset that a multi-asset computes, with what they share.
pub(super) const WHOLE_MEMBER: &[&str] = &[
    "output",
    "description",
    "group",
    "owners",
    "tags",
    "kinds",
    "command",
    "component",
    "inputs",
    "deps",
    "partitions",
    "partitions_per_step",
    "type",
    "as",
    "schema",
    "media_type",
    "io",
    "config",
    "metadata",
];
/// Of `[templates.NAME]`.
pub(super) const TEMPLATE: &[&str] = ASSET.split_at(1).1;
/// Of `component` of an asset, where it is a table.
pub(super) const OP_COMPONENT: &[&str] =
    &["path", "signature", "public_key", "config", "mounts", "environment", "limits"];
/// Of an input of a step of a job, where it is a table.
pub(super) const STEP_INPUT: &[&str] = &[
    "from",
    "each",
    "input",
    "asset",
    "value",
    "type",
    "as",
    "columns",
    "media_type",
    "partition_mapping",
    "allow_missing",
    "io",
    "config",
    "metadata",
];
/// Of an input of an asset, where it is a table.
pub(super) const INPUT: &[&str] = STEP_INPUT.split_at(3).1;
/// What says where an input comes from: one of them.
pub(super) const SOURCES: &[&str] = STEP_INPUT.split_at(5).0;
/// Of `[jobs.NAME]`.
pub(super) const JOB: &[&str] = &["description", "io", "steps"];
/// Of `[graphs.NAME]`.
pub(super) const GRAPH: &[&str] = &["description", "steps", "outputs"];
/// Of a step that is made from a graph.
pub(super) const GRAPH_STEP: &[&str] = &["graph", "description", "inputs", "deps"];
/// Of a step of a job.
pub(super) const STEP: &[&str] = &[
    "op",
    "description",
    "command",
    "component",
    "inputs",
    "deps",
    "outputs",
    "type",
    "as",
    "schema",
    "media_type",
    "io",
    "config",
    "metadata",
    "optional",
    "dynamic",
];
/// Of `[ops.NAME]`.
pub(super) const OP: &[&str] = STEP.split_at(1).1;
/// Of an output of a step.
pub(super) const OUTPUT: &[&str] =
    &["type", "as", "schema", "media_type", "io", "config", "metadata", "optional", "dynamic"];
/// Of `[partitions.NAME]`: one of them.
pub(super) const PARTITIONS: &[&str] =
    &["dimensions", "dynamic", "hourly", "daily", "weekly", "monthly", "yearly", "cron", "static"];
/// Of one of several dimensions that says what it has: one of them.
pub(super) const DIMENSION: &[&str] = PARTITIONS.split_at(2).1;
/// Of `cron` of partitions.
pub(super) const CRON_PARTITIONS: &[&str] = &["start", "end", "time_zone", "format", "schedule"];
/// Of `weekly` and `monthly` of partitions.
pub(super) const DAY_PARTITIONS: &[&str] =
    &["start", "end", "time_zone", "format", "minute_offset", "hour_offset", "day_offset"];
/// Of `daily` and `yearly` of partitions.
pub(super) const HOUR_PARTITIONS: &[&str] = &["start", "end", "time_zone", "format", "minute_offset", "hour_offset"];
/// Of `hourly` of partitions.
pub(super) const MINUTE_PARTITIONS: &[&str] = &["start", "end", "time_zone", "format", "minute_offset"];
/// Of `partition_mapping` of an input, where it is a table.
pub(super) const PARTITION_MAPPING: &[&str] = &["time_window", "specific", "static", "dimension", "dimensions"];
/// Of `time_window` of `partition_mapping`.
pub(super) const TIME_WINDOW: &[&str] = &["start_offset", "end_offset"];
/// Of a reference to the environment.
pub(super) const ENVIRONMENT: &[&str] = &["$env", "default", "as"];

/// The tables of `[profile.NAME.io.…]` and `[profile.NAME.assets.…]`, and those of assets with a
/// template, that are merged entry by entry; everything else is replaced.
pub(super) const MERGED: &[&str] = &["config", "mounts", "environment", "limits", "metadata", "tags"];
