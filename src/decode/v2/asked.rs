//! What the tensors of a request ask: rows of features.

use std::collections::HashSet;

use super::{
    super::{
        inference::{Name, Scalar, Values},
        table::{Table, TooLarge},
        walk::Leaf,
    },
    document::Document,
    tensor::{Datatype, Shape, Tensor},
};

/// A value has another type than its tensor.
struct WrongType;

/// The rows of `document`; `items`: those of the answer. `None`: it has none that can be read.
///
/// One tensor has its features by position; each of several is a feature of its own, or has several.
/// The first dimension is that of the rows, unless the answer to a list alone is one item.
pub(in crate::decode) fn table(
    document: Document<'_>,
    items: Option<usize>,
    bytes: usize,
) -> Result<Option<Table>, TooLarge> {
    let mut tensors = document.tensors.unwrap_or_default();
    let is_named = document.is_pandas || tensors.len() > 1;
    tensors.retain(|tensor| tensor.whole().is_some());
    let Some(rows) = rows(&mut tensors, items) else {
        return Ok(None);
    };
    let width = |tensor: &Tensor<'_>| tensor.shape.map_or(0, |shape| shape.width);
    let columns = tensors.iter().map(width).fold(0, usize::saturating_add);
    if columns > Table::MAX_COLUMNS || tensors.iter().any(Tensor::is_over) {
        return Ok(Some(Table::of_rows(rows)));
    }
    // every element was read, so none takes room that did not come
    let mut table = Table::within(bytes.saturating_mul(8));
    let mut names = HashSet::new();
    for mut tensor in tensors {
        if is_named && !names.insert(tensor.name.clone()) {
            continue;
        }
        for place in 0..width(&tensor) {
            let Ok(values) = column(&mut tensor, place) else {
                return Ok(Some(Table::of_rows(rows)));
            };
            table.put_column(called(&tensor, is_named, place), values)?;
        }
    }
    Ok(Some(table))
}

/// How many rows there are; only tensors with as many are left.
fn rows(tensors: &mut Vec<Tensor<'_>>, items: Option<usize>) -> Option<usize> {
    let shape = |tensor: &Tensor<'_>| tensor.shape.unwrap_or(Shape::SCALAR);
    let are_lists = tensors.iter().all(|tensor| shape(tensor).dims == 1);
    if items == Some(1) && are_lists {
        for tensor in &mut *tensors {
            tensor.shape = Shape::SCALAR.with(1)?.with(shape(tensor).rows);
        }
    }
    let rows = shape(tensors.first()?).rows;
    if tensors.iter().all(|tensor| shape(tensor).rows == rows) {
        return Some(rows);
    }
    tensors.retain(|tensor| Some(shape(tensor).rows) == items);
    items.filter(|_| !tensors.is_empty())
}

fn called(tensor: &Tensor<'_>, is_named: bool, place: usize) -> Name {
    let width = tensor.shape.map_or(1, |shape| shape.width);
    match (is_named && !tensor.name.is_empty(), width) {
        (false, _) => Name::Position(place),
        (true, 1) => Name::Word(tensor.name.as_str().into()),
        (true, _) => Name::placed(&tensor.name, place),
    }
}

/// The column at a place of its rows.
fn column(tensor: &mut Tensor<'_>, place: usize) -> Result<Values, WrongType> {
    let width = tensor.shape.map_or(0, |shape| shape.width);
    let datatype = tensor.datatype;
    match tensor.take(place, width) {
        values @ Values::Mixed(_) if are_truths(&values) => Ok(values),
        Values::Mixed(values) => values.into_iter().map(|v| feature(v, datatype)).collect(),
        Values::Numbers(numbers) if datatype == Datatype::Bool => {
            let values = numbers.into_iter().map(Scalar::of_number);
            values.map(|v| feature(v, datatype)).collect()
        }
        numbers @ Values::Numbers(_) => Ok(numbers),
    }
}

/// Whether all are truth values, as those of bytes are.
fn are_truths(values: &Values) -> bool {
    matches!(values, Values::Mixed(all) if all.iter().all(|value| matches!(value, Scalar::Bool(_))))
}

/// A value as a feature: text that is a number is one, and a number of a truth value is that.
fn feature(value: Scalar, datatype: Datatype) -> Result<Scalar, WrongType> {
    match value {
        Scalar::Text(text) => match Leaf::Text(&text).scalar() {
            Some(value @ (Scalar::Number(_) | Scalar::Missing)) => Ok(value),
            _ if datatype.is_number() || datatype == Datatype::Bool => Err(WrongType),
            _ => Ok(Scalar::Text(text)),
        },
        Scalar::Number(0.0) if datatype == Datatype::Bool => Ok(Scalar::Bool(false)),
        Scalar::Number(1.0) if datatype == Datatype::Bool => Ok(Scalar::Bool(true)),
        value => Ok(value),
    }
}
