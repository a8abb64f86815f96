//! `Max-Forwards`.

use http::{HeaderMap, HeaderValue, Method, header};

use super::super::failure::Failure;

/// `TRACE` and `OPTIONS` go no further than they want (RFC 9110, section 7.6.2).
pub(super) fn count_down(method: &Method, fields: &mut HeaderMap) -> Result<(), Failure> {
    if *method != Method::TRACE && *method != Method::OPTIONS {
        return Ok(());
    }
    let Some(value) = fields.get_mut(header::MAX_FORWARDS) else {
        return Ok(());
    };
    let left: Option<u64> = value.to_str().ok().and_then(|text| text.parse().ok());
    match left.map(|left| left.checked_sub(1)) {
        Some(None) => Err(Failure::MaxForwards),
        Some(Some(left)) => {
            *value = HeaderValue::from(left);
            Ok(())
        }
        // not a number: may be ignored
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_stops_where_it_wants_to_and_is_counted_down_on_the_way() {
        let mut fields = HeaderMap::new();
        fields.insert("max-forwards", HeaderValue::from_static("1"));
        assert_eq!(count_down(&Method::GET, &mut fields), Ok(()));
        assert_eq!(count_down(&Method::TRACE, &mut fields), Ok(()));
        assert_eq!(fields["max-forwards"], "0");
        assert_eq!(
            count_down(&Method::OPTIONS, &mut fields),
            Err(Failure::MaxForwards)
        );
    }
}
