//! What the environment of a command calls its inputs, its outputs and its partition.

use super::RESULT;

/// `DAILY_WEATHER` for `daily-weather`.
pub(super) fn upper(name: &str) -> String {
    let upper = |character: char| if character.is_ascii_alphanumeric() { character.to_ascii_uppercase() } else { '_' };
    name.chars().map(upper).collect()
}

/// `AIRLOCK_INPUT_DAILY_WEATHER` for the input `daily-weather`: where a command finds the path of its file.
pub(crate) fn environment_name(input: &str) -> String {
    format!("AIRLOCK_INPUT_{}", upper(input))
}

/// `AIRLOCK_INPUT_DAILY_WEATHER_MEDIA_TYPE`: where a command finds the media type of an input.
pub(crate) fn media_type_name(input: &str) -> String {
    format!("{}_MEDIA_TYPE", environment_name(input))
}

/// `AIRLOCK_INPUT_DAILY_WEATHER_PARTITIONS`: where a command finds the path of the list of the partitions of an input.
pub(crate) fn partitions_name(input: &str) -> String {
    format!("{}_PARTITIONS", environment_name(input))
}

/// `AIRLOCK_PARTITION_REGION` for the dimension `region`: where a command finds the key in it of its partition.
pub(crate) fn dimension_name(dimension: &str) -> String {
    format!("AIRLOCK_PARTITION_{}", upper(dimension))
}

/// `AIRLOCK_OUTPUT_KEPT` for the output `kept`: where a command finds the path to write it to; `AIRLOCK_OUTPUT` for the one
/// that has no other name than `result`.
pub(crate) fn output_name(output: &str) -> String {
    format!("AIRLOCK_OUTPUT{}", suffix(output))
}

/// `AIRLOCK_METADATA_KEPT` for the output `kept`: where a command finds the path to write facts about it to.
pub(crate) fn metadata_name(output: &str) -> String {
    format!("AIRLOCK_METADATA{}", suffix(output))
}

/// `AIRLOCK_PART_METADATA_KEPT` for the output `kept`: where a command finds the directory to write facts about elements or
/// partitions of it to.
pub(crate) fn part_metadata_name(output: &str) -> String {
    format!("AIRLOCK_PART_METADATA{}", suffix(output))
}

fn suffix(output: &str) -> String {
    if output == RESULT { String::new() } else { format!("_{}", upper(output)) }
}
