//! Types by simple names.

use std::sync::Arc;

use airlock_sdk::Error;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use serde::Deserialize;

/// A column as a person describes it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    name: String,
    r#type: String,
}

const NAMES: [(&str, DataType); 16] = [
    ("bool", DataType::Boolean),
    ("int8", DataType::Int8),
    ("int16", DataType::Int16),
    ("int32", DataType::Int32),
    ("int64", DataType::Int64),
    ("uint8", DataType::UInt8),
    ("uint16", DataType::UInt16),
    ("uint32", DataType::UInt32),
    ("uint64", DataType::UInt64),
    ("float32", DataType::Float32),
    ("float64", DataType::Float64),
    ("string", DataType::Utf8),
    ("utf8", DataType::Utf8),
    ("binary", DataType::Binary),
    ("date", DataType::Date32),
    ("timestamp", DataType::Timestamp(TimeUnit::Microsecond, None)),
];

/// The schema of `columns`, in their order.
///
/// # Errors
/// [`Error::InvalidConfig`] where a type has no such name, or two columns have one.
pub fn schema(columns: &[Column]) -> Result<SchemaRef, Error> {
    let mut fields: Vec<Field> = Vec::with_capacity(columns.len());
    for Column { name, r#type } in columns {
        if fields.iter().any(|field| field.name() == name) {
            return Err(Error::invalid_config(format!("`schema` has two columns {name:?}")));
        }
        let data_type = data_type(r#type).ok_or_else(|| {
            let names: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
            Error::invalid_config(format!(
                "`schema`: the type {type:?} of the column {name:?} is none of {}, decimal(precision, scale)",
                names.join(", ")
            ))
        })?;
        fields.push(Field::new(name, data_type, true));
    }
    Ok(Arc::new(Schema::new(fields)))
}

fn data_type(name: &str) -> Option<DataType> {
    if let Some((_, data_type)) = NAMES.iter().find(|(known, _)| *known == name) {
        return Some(data_type.clone());
    }
    let (precision, scale) = name.strip_prefix("decimal(")?.strip_suffix(')')?.split_once(',')?;
    let (precision, scale) = (precision.trim().parse::<u8>().ok()?, scale.trim().parse().ok()?);
    let fits = (1..=38).contains(&precision) && (0..=precision.cast_signed()).contains(&scale);
    fits.then_some(DataType::Decimal128(precision, scale))
}

/// The simple name of a type, or Arrow's.
pub fn type_name(data_type: &DataType) -> String {
    if let DataType::Decimal128(precision, scale) = data_type {
        return format!("decimal({precision}, {scale})");
    }
    let simple = NAMES.iter().find(|(_, known)| known == data_type);
    simple.map_or_else(|| data_type.to_string(), |(name, _)| (*name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_has_a_name_that_gives_it_back() {
        for (_, known) in NAMES.into_iter().chain([("", DataType::Decimal128(10, 2))]) {
            assert_eq!(data_type(&type_name(&known)), Some(known));
        }
    }

    #[test]
    fn a_type_without_a_simple_name_has_that_of_arrow() {
        assert_eq!(type_name(&DataType::Duration(TimeUnit::Second)), "Duration(s)");
    }

    #[test]
    fn a_decimal_has_a_precision_and_a_scale_within_it() {
        assert_eq!(data_type("decimal(38,0)"), Some(DataType::Decimal128(38, 0)));
        for wrong in ["decimal", "decimal(10)", "decimal(39, 2)", "decimal(0, 0)", "decimal(4, 5)", "decimal(4, -1)"] {
            assert_eq!(data_type(wrong), None, "{wrong}");
        }
    }
}
