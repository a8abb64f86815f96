//! The lines of `log.lines: separate`, joined by their request id.

use std::collections::{HashMap, VecDeque};

use super::line::{Fields, Part, text};

/// Requests whose end has not come yet. Lines of one stand together, but for logs that were merged.
const MOST: usize = 1024;

/// Parts that wait for the end of their request.
#[derive(Default)]
pub(super) struct Parts {
    open: HashMap<String, Open>,
    order: VecDeque<(String, u64)>,
    opened: u64,
}

struct Open {
    fields: Box<Fields>,
    lines: u64,
    number: u64,
}

/// A request with all its parts.
pub(super) struct Joined {
    pub(super) fields: Box<Fields>,
    /// It has its first part, which says what was asked for.
    pub(super) is_whole: bool,
}

impl Parts {
    /// Takes a part; gives the request with its last one. `lost` is told of lines of which none will come.
    pub(super) fn take(
        &mut self,
        part: Part,
        fields: Box<Fields>,
        mut lost: impl FnMut(u64),
    ) -> Option<Joined> {
        let id = text(fields.request_id.as_ref())
            .unwrap_or_default()
            .to_owned();
        // an id that comes again is another request's
        if part == Part::Started
            && let Some(before) = self.open.remove(&id)
        {
            lost(before.lines);
        }
        if part == Part::Completed {
            let Some(mut open) = self.open.remove(&id) else {
                return Some(Joined {
                    fields,
                    is_whole: false,
                });
            };
            open.fields.join(*fields);
            let is_whole = open.fields.path.is_some();
            return Some(Joined {
                fields: open.fields,
                is_whole,
            });
        }
        if let Some(open) = self.open.get_mut(&id) {
            open.fields.join(*fields);
            open.lines += 1;
            return None;
        }
        self.opened += 1;
        let number = self.opened;
        self.order.push_back((id.clone(), number));
        let open = Open {
            fields,
            lines: 1,
            number,
        };
        self.open.insert(id, open);
        while self.open.len() > MOST || self.order.len() > 2 * MOST {
            let Some((id, number)) = self.order.pop_front() else {
                break;
            };
            if self.open.get(&id).is_some_and(|open| open.number == number)
                && let Some(open) = self.open.remove(&id)
            {
                lost(open.lines);
            }
        }
        None
    }

    /// Lines of requests that have not ended.
    pub(super) fn left(&self) -> u64 {
        self.open.values().map(|open| open.lines).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(json: serde_json::Value) -> Box<Fields> {
        Box::new(serde_json::from_value(json).unwrap())
    }

    #[test]
    fn of_requests_without_an_end_so_many_are_kept() {
        let mut parts = Parts::default();
        let mut lost = 0;
        for i in 0..MOST + 10 {
            let line = fields(serde_json::json!({"request_id": i.to_string(), "path": "/p"}));
            assert!(parts.take(Part::Started, line, |n| lost += n).is_none());
        }
        assert_eq!((lost, parts.left()), (10, MOST as u64));
        let end = fields(serde_json::json!({"request_id": "20", "status_code": 200}));
        let joined = parts.take(Part::Completed, end, |_| {}).unwrap();
        assert!(joined.is_whole && joined.fields.status_code == Some(200.into()));
        let end = fields(serde_json::json!({"request_id": "3", "status_code": 200}));
        assert!(!parts.take(Part::Completed, end, |_| {}).unwrap().is_whole);
    }

    #[test]
    fn an_order_of_ids_that_ended_long_ago_does_not_grow() {
        let mut parts = Parts::default();
        for i in 0..10 * MOST {
            let line = || fields(serde_json::json!({"request_id": i.to_string(), "path": "/p"}));
            parts.take(Part::Started, line(), |_| panic!("lost"));
            assert!(parts.take(Part::Completed, line(), |_| {}).is_some());
        }
        assert!(parts.order.len() <= 2 * MOST);
    }
}
