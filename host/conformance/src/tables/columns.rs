//! Columns of every type of Arrow that the kit can make.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Date64Array, Decimal128Array, DictionaryArray, FixedSizeListArray,
    Float64Array, Int32Array, Int64Array, Int64Builder, IntervalMonthDayNanoArray, ListArray, MapBuilder, NullArray,
    RunArray, StringArray, StringBuilder, StructArray, Time32MillisecondArray, Time32SecondArray,
    Time64MicrosecondArray, Time64NanosecondArray, UInt32Array, UInt64Array, UnionArray,
};
use arrow::compute::{cast, take};
use arrow::datatypes::{
    DataType, Field, FieldRef, Int8Type, Int32Type, IntervalMonthDayNano, IntervalUnit, TimeUnit, UnionFields,
};
use arrow::error::ArrowError;

/// A column, named by its type.
pub(crate) struct Column {
    pub name: String,
    pub array: ArrayRef,
}

impl Column {
    fn new(array: ArrayRef) -> Self {
        Self { name: array.data_type().to_string(), array }
    }
}

fn item(data_type: DataType) -> FieldRef {
    Arc::new(Field::new_list_field(data_type, true))
}

fn to(array: &ArrayRef, types: impl IntoIterator<Item = DataType>) -> Result<Vec<ArrayRef>, ArrowError> {
    types.into_iter().map(|data_type| cast(array, &data_type)).collect()
}

fn integers() -> ArrayRef {
    Arc::new(Int32Array::from(vec![1, 0, 77, 2]))
}

fn texts() -> ArrayRef {
    Arc::new(StringArray::from(vec!["a", "", "b\r\n\"c\", ä🦀", "0"]))
}

/// Columns of four values, none of them null, of types that nest no others.
pub(crate) fn flat() -> Result<Vec<Column>, ArrowError> {
    use DataType::{
        Binary, BinaryView, Date32, Decimal32, Decimal64, Decimal128, Decimal256, Dictionary, Duration,
        FixedSizeBinary, Float16, Float32, Float64, Int8, Int16, Int32, Int64, Interval, LargeBinary, LargeUtf8,
        Timestamp, UInt8, UInt16, UInt32, UInt64, Utf8, Utf8View,
    };
    let mut arrays = to(&integers(), [Int8, Int16, Int32, Int64, UInt8, UInt16, UInt32, UInt64])?;
    arrays.extend(to(&integers(), [Float16, Float32, Float64, Date32])?);
    arrays.extend(to(&integers(), [Decimal32(7, 2), Decimal64(12, 0), Decimal128(20, 5), Decimal256(50, 10)])?);
    arrays.push(Arc::new(Decimal128Array::from(vec![-1, 0, 99, 5]).with_precision_and_scale(10, -2)?));
    arrays.push(Arc::new(Int64Array::from(vec![i64::MAX, i64::MIN, 1 << 53, -1])));
    arrays.push(Arc::new(UInt64Array::from(vec![u64::MAX, 0, 1 << 63, 1])));
    arrays.push(Arc::new(Float64Array::from(vec![0.1, f64::MIN_POSITIVE, -1e300, -0.0])));
    arrays.push(Arc::new(BooleanArray::from(vec![true, false, false, true])));
    arrays.extend(to(&texts(), [Utf8, LargeUtf8, Utf8View])?);
    let bytes: ArrayRef = Arc::new(BinaryArray::from(vec![b"\0\xff".as_slice(), b"a,", b"\"\n", b"\r\n"]));
    arrays.extend(to(&bytes, [Binary, LargeBinary, BinaryView, FixedSizeBinary(2)])?);
    arrays.push(Arc::new(Date64Array::from(vec![86_400_000, -86_400_000, 0, 1_700_006_400_000])));
    arrays.push(Arc::new(Time32SecondArray::from(vec![86_399, 0, 1, 2])));
    arrays.push(Arc::new(Time32MillisecondArray::from(vec![86_399_999, 0, 1, 2])));
    arrays.push(Arc::new(Time64MicrosecondArray::from(vec![86_399_999_999, 0, 1, 2])));
    arrays.push(Arc::new(Time64NanosecondArray::from(vec![86_399_999_999_999, 0, 1, 2])));
    let times: ArrayRef = Arc::new(Int64Array::from(vec![1_700_000_001, -1, 0, 1]));
    for unit in [TimeUnit::Second, TimeUnit::Millisecond, TimeUnit::Microsecond, TimeUnit::Nanosecond] {
        let zones = ["UTC", "+05:30"].map(|zone| Timestamp(unit, Some(zone.into())));
        arrays.extend(to(&times, [Timestamp(unit, None), Duration(unit)].into_iter().chain(zones))?);
    }
    arrays.extend(to(&integers(), [Interval(IntervalUnit::YearMonth)])?);
    let interval = |months, days| IntervalMonthDayNano::new(months, days, 3);
    let intervals = vec![interval(1, 2), interval(0, 0), interval(-1, 0), interval(0, 400)];
    arrays.push(Arc::new(IntervalMonthDayNanoArray::from(intervals)));
    let words: DictionaryArray<Int8Type> = vec!["x", "y", "x", "z"].into_iter().collect();
    arrays.push(Arc::new(words));
    arrays.extend(to(&cast(&integers(), &Int64)?, [Dictionary(Box::new(Int32), Box::new(Int64))])?);
    arrays.push(Arc::new(RunArray::<Int32Type>::try_new(
        &Int32Array::from(vec![1, 3, 4]),
        &StringArray::from(vec!["x", "z", "y"]),
    )?));
    let fields = [Field::new("a", Int32, true), Field::new("b", Utf8, true)];
    let union = UnionArray::try_new(
        UnionFields::try_new([0, 1], fields)?,
        vec![0, 1, 0, 1].into(),
        None,
        vec![integers(), texts()],
    )?;
    arrays.push(Arc::new(union));
    let mut columns: Vec<Column> = arrays.into_iter().map(Column::new).collect();
    // Of numbers some forms have these none.
    let odd: ArrayRef = Arc::new(Float64Array::from(vec![f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 0.5]));
    columns.push(Column { name: "Float64, with infinity and NaN".to_owned(), array: odd });
    Ok(columns)
}

/// Columns of four values, none of them null, of types that nest others.
pub(crate) fn nested() -> Result<Vec<Column>, ArrowError> {
    let rows = [vec![Some(1), Some(2)], vec![], vec![Some(3)], vec![Some(4)]];
    let list: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(rows.map(Some)));
    let words = cast(&list, &DataType::List(item(DataType::Utf8)))?;
    let fields = vec![
        Field::new("number", DataType::Int32, true),
        Field::new("text", DataType::Utf8, true),
        Field::new("list", list.data_type().clone(), true),
    ];
    let structure = StructArray::try_new(fields.into(), vec![integers(), texts(), list.clone()], None)?;
    let mut map = MapBuilder::new(None, StringBuilder::new(), Int64Builder::new());
    for row in 0..4 {
        for key in 0..row {
            map.keys().append_value(format!("key {key}"));
            map.values().append_value(key);
        }
        map.append(true)?;
    }
    let pairs = [[1, 2], [3, 4], [5, 6], [7, 8]].map(|pair| Some(pair.map(Some)));
    let fixed = FixedSizeListArray::from_iter_primitive::<Int32Type, _, _>(pairs, 2);
    let structure: ArrayRef = Arc::new(structure);
    let offsets = arrow::buffer::OffsetBuffer::from_lengths([1, 0, 2, 1]);
    let structures = ListArray::try_new(item(structure.data_type().clone()), offsets, structure.clone(), None)?;
    let arrays: Vec<ArrayRef> = vec![
        cast(&list, &DataType::LargeList(item(DataType::Int64)))?,
        cast(&list, &DataType::ListView(item(DataType::Int32)))?,
        list,
        words,
        structure,
        Arc::new(structures),
        Arc::new(map.finish()),
        Arc::new(fixed),
    ];
    Ok(arrays.into_iter().map(Column::new).collect())
}

/// The same column with the second value gone and null in its place; none for a type that has no null.
pub(crate) fn with_nulls(array: &ArrayRef) -> Result<Option<ArrayRef>, ArrowError> {
    if matches!(array.data_type(), DataType::Union(..) | DataType::RunEndEncoded(..)) {
        return Ok(None);
    }
    take(array, &UInt32Array::from(vec![Some(0), None, Some(2), Some(3)]), None).map(Some)
}

/// A column of nothing but null.
pub(crate) fn nothing() -> Column {
    Column::new(Arc::new(NullArray::new(4)))
}
