//! Dictionaries, whose values may differ from batch to batch.

use std::sync::Arc;

use airlock_sdk::Error;
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, UInt64Array, make_array};
use arrow::compute::{cast, concat, take};
use arrow::datatypes::{DataType, UInt64Type};
use arrow::error::ArrowError;

use crate::error::{unsupported_column, unwritable};
use crate::schema::type_name;

/// Counts the values of dictionaries with small indexes, for a file from which they are loaded as one dictionary.
#[derive(Default)]
pub struct SmallIndexes {
    /// For each small dictionary of a batch, in order, its values until now.
    known: Vec<ArrayRef>,
}

impl SmallIndexes {
    /// Adds those of `batch`.
    ///
    /// # Errors
    /// [`Error::UnsupportedType`] with the name of a column that has more values than its index has numbers.
    pub fn check(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        let mut position = 0;
        for (column, field) in batch.columns().iter().zip(batch.schema_ref().fields()) {
            for dictionary in dictionaries(column) {
                let Some(limit) = limit(dictionary.data_type()) else { continue };
                let values = match self.known.get(position) {
                    Some(known) => distinct(&[known.clone(), used(&dictionary).map_err(unwritable)?]),
                    None => distinct(&[used(&dictionary).map_err(unwritable)?]),
                };
                let values = values.map_err(unwritable)?;
                if values.len() > limit {
                    let reason = format!(
                        "has the type {}, but more than the {limit} different values that are loaded with such an index; \
                         give it an index of int32, or make it a column without a dictionary",
                        type_name(dictionary.data_type())
                    );
                    return Err(unsupported_column(field.name(), reason));
                }
                match self.known.get_mut(position) {
                    Some(known) => *known = values,
                    None => self.known.push(values),
                }
                position += 1;
            }
        }
        Ok(())
    }
}

/// The dictionaries in `array`, itself or what it nests.
pub fn dictionaries(array: &ArrayRef) -> Vec<ArrayRef> {
    match array.data_type() {
        DataType::Dictionary(..) => vec![array.clone()],
        other if other.is_nested() => {
            array.to_data().child_data().iter().flat_map(|child| dictionaries(&make_array(child.clone()))).collect()
        }
        _ => Vec::new(),
    }
}

/// The values that an index counts, where they may be fewer than those of a table.
fn limit(data_type: &DataType) -> Option<usize> {
    // Parquet counts the values themselves by a number of the index.
    let DataType::Dictionary(index, _) = data_type else { return None };
    Some(match index.as_ref() {
        DataType::Int8 => i8::MAX.unsigned_abs().into(),
        DataType::UInt8 => u8::MAX.into(),
        DataType::Int16 => i16::MAX.unsigned_abs().into(),
        DataType::UInt16 => u16::MAX.into(),
        _ => return None,
    })
}

/// The values that rows of `dictionary` have.
fn used(dictionary: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let dictionary = dictionary.as_any_dictionary();
    let values = dictionary.values();
    let keys = cast(dictionary.keys(), &DataType::UInt64)?;
    let mut used = vec![false; values.len()];
    for key in keys.as_primitive::<UInt64Type>().iter().flatten() {
        if let Some(used) = usize::try_from(key).ok().and_then(|key| used.get_mut(key)) {
            *used = true;
        }
    }
    let indexes = (0_u64..).zip(used).filter_map(|(index, used)| used.then_some(index));
    take(values, &UInt64Array::from_iter_values(indexes), None)
}

/// The different values of `arrays`, which are of one type, without null.
fn distinct(arrays: &[ArrayRef]) -> Result<ArrayRef, ArrowError> {
    let arrays: Vec<&dyn Array> = arrays.iter().map(Arc::as_ref).collect();
    let values = concat(&arrays)?;
    let wide = DataType::Dictionary(Box::new(DataType::Int64), Box::new(values.data_type().clone()));
    Ok(cast(&values, &wide)?.as_any_dictionary().values().clone())
}
