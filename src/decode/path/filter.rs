//! Whether an element passes a filter.

use std::{borrow::Cow, cmp::Ordering};

use rsonpath_syntax::{
    Comparable, ComparisonExpr, ComparisonOp, Literal, LogicalExpr, SingularJsonPathQuery,
    SingularSegment, TestExpr, num::JsonNumber,
};

use super::{Place, Stop, Walk};
use crate::decode::tape::string;

/// One side of a comparison.
#[derive(Debug, PartialEq)]
enum Value<'v> {
    /// The path leads nowhere.
    Nothing,
    Null,
    Bool(bool),
    Number(f64),
    Text(Cow<'v, str>),
    /// A list or an object, as it is written.
    Other(&'v str),
}

/// Bytes that are compared in one step.
const STEP: usize = 16;

impl<'a> Walk<'_, 'a> {
    /// Whether `test` holds for the element at `place`.
    pub(super) fn holds(&mut self, test: &LogicalExpr, place: Place) -> Result<bool, Stop> {
        self.steps.take(1)?;
        Ok(match test {
            LogicalExpr::Or(one, other) => self.holds(one, place)? || self.holds(other, place)?,
            LogicalExpr::And(one, other) => self.holds(one, place)? && self.holds(other, place)?,
            LogicalExpr::Not(test) => !self.holds(test, place)?,
            LogicalExpr::Comparison(comparison) => self.compares(comparison, place)?,
            LogicalExpr::Test(TestExpr::Relative(query)) => self.exists(place, query.segments())?,
            LogicalExpr::Test(TestExpr::Absolute(query)) => self.exists(0, query.segments())?,
        })
    }

    fn exists(&mut self, from: Place, segments: &[rsonpath_syntax::Segment]) -> Result<bool, Stop> {
        match self.follow(from, segments, &mut |_, _| Err(Stop::Enough)) {
            Ok(()) => Ok(false),
            Err(Stop::Enough) => Ok(true),
            Err(stop) => Err(stop),
        }
    }

    fn compares(&mut self, comparison: &ComparisonExpr, place: Place) -> Result<bool, Stop> {
        let left = self.value(comparison.lhs(), place)?;
        let right = self.value(comparison.rhs(), place)?;
        let order = || match (&left, &right) {
            (Value::Number(left), Value::Number(right)) => left.partial_cmp(right),
            (Value::Text(left), Value::Text(right)) => Some(left.cmp(right)),
            _ => None,
        };
        let is = |wanted: Ordering| order() == Some(wanted);
        Ok(match comparison.op() {
            ComparisonOp::EqualTo => left == right,
            ComparisonOp::NotEqualTo => left != right,
            ComparisonOp::LessThan => is(Ordering::Less),
            ComparisonOp::GreaterThan => is(Ordering::Greater),
            ComparisonOp::LesserOrEqualTo => left == right || is(Ordering::Less),
            ComparisonOp::GreaterOrEqualTo => left == right || is(Ordering::Greater),
        })
    }

    fn value<'v>(&mut self, side: &'v Comparable, place: Place) -> Result<Value<'v>, Stop>
    where
        'a: 'v,
    {
        let found = match side {
            Comparable::Literal(literal) => return Ok(of_literal(literal)),
            Comparable::RelativeSingularQuery(query) => self.one(place, query)?,
            Comparable::AbsoluteSingularQuery(query) => self.one(0, query)?,
        };
        let Some(found) = found else {
            return Ok(Value::Nothing);
        };
        let text = self.tape.text(found);
        self.steps.take(text.len() / STEP)?;
        Ok(match text.as_bytes().first() {
            Some(b'n') | None => Value::Null,
            Some(b't') => Value::Bool(true),
            Some(b'f') => Value::Bool(false),
            Some(b'"') => string(text).map_or(Value::Nothing, Value::Text),
            Some(b'[' | b'{') => Value::Other(text),
            Some(_) => text.parse().map_or(Value::Nothing, Value::Number),
        })
    }

    /// The one place that a path of names and indexes leads to.
    fn one(&mut self, from: Place, query: &SingularJsonPathQuery) -> Result<Option<Place>, Stop> {
        let mut place = from;
        for segment in query.segments() {
            let next = match segment {
                SingularSegment::Name(name) if self.tape.is_object(place) => {
                    self.named(place, name.unquoted())?
                }
                SingularSegment::Name(_) => None,
                SingularSegment::Index(index) => self.at(place, *index)?,
            };
            match next {
                Some(next) => place = next,
                None => return Ok(None),
            }
        }
        Ok(Some(place))
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "whole numbers of a path are below 2^53"
)]
fn of_literal(literal: &Literal) -> Value<'_> {
    match literal {
        Literal::String(text) => Value::Text(Cow::Borrowed(text.unquoted())),
        Literal::Number(JsonNumber::Int(whole)) => Value::Number(whole.as_i64() as f64),
        Literal::Number(JsonNumber::Float(number)) => Value::Number(number.as_f64()),
        Literal::Bool(value) => Value::Bool(*value),
        Literal::Null => Value::Null,
    }
}
