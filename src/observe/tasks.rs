//! What asynchronous tasks were asked, until their answers come.
//!
//! One exchange submits a task and another gets its result; the service, which is the path before its
//! last segment, and the id of the task join them. Ids come from servers, so the table is bounded:
//! the oldest leaves. A result whose submission was not seen counts without features; one whose task
//! was forgotten after it was answered counts again.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use ::metrics::Counter;

use crate::{
    capture::Exchange,
    decode::{Column, Inference},
};

/// Most tasks that are known.
const MAX_TASKS: usize = 4096;
/// Most bytes that they take.
const MAX_BYTES: usize = 8 << 20;

/// Tasks by their service and their id.
pub(super) struct Tasks {
    known: HashMap<Arc<str>, Task>,
    /// Keys of all of them, the oldest first.
    order: VecDeque<Arc<str>>,
    bytes: usize,
    forgotten: Counter,
}

enum Task {
    /// Not answered yet.
    Asked {
        model: Option<String>,
        version: Option<String>,
        rows: usize,
        features: Vec<Column>,
    },
    /// Its result was seen: whoever asks for it again gets no second prediction.
    Answered,
}

impl Task {
    fn asked(inference: &Inference) -> Self {
        Self::Asked {
            model: inference.model.clone(),
            version: inference.version.clone(),
            rows: inference.rows,
            features: inference.features.clone(),
        }
    }

    fn held_bytes(&self) -> usize {
        match self {
            Self::Asked {
                model,
                version,
                features,
                ..
            } => {
                let name = |name: &Option<String>| name.as_ref().map_or(0, String::capacity);
                let columns: usize = features.iter().map(Column::held_bytes).sum();
                name(model) + name(version) + columns
            }
            Self::Answered => 0,
        }
    }
}

impl Tasks {
    /// `forgotten` counts those that leave before their answer.
    pub(super) fn new(forgotten: Counter) -> Self {
        Self {
            known: HashMap::new(),
            order: VecDeque::new(),
            bytes: 0,
            forgotten,
        }
    }

    /// Keeps what a submission asked, and gives it to the answer. A second answer to the same task
    /// loses its outputs.
    pub(super) fn join(&mut self, inference: &mut Inference, exchange: &Exchange) {
        let Some(id) = &inference.task else {
            return;
        };
        let (service, _) = exchange.path.rsplit_once('/').unwrap_or_default();
        let key = Arc::from(format!("{service} {id}"));
        if inference.outputs.is_empty() {
            // a result of no items leaves the task as it is
            if exchange.query.is_none() {
                self.put(key, Task::asked(inference));
            }
            return;
        }
        match self.put(key, Task::Answered) {
            Some(Task::Asked {
                model,
                version,
                rows,
                features,
            }) => {
                inference.model = inference.model.take().or(model);
                inference.version = inference.version.take().or(version);
                if rows == inference.outputs.len() {
                    inference.rows = rows;
                    inference.features = features;
                }
            }
            Some(Task::Answered) => {
                inference.outputs = Vec::new();
                inference.probabilities = None;
            }
            None => {}
        }
    }

    /// What was known of the task before.
    fn put(&mut self, key: Arc<str>, task: Task) -> Option<Task> {
        self.bytes += task.held_bytes();
        let before = self.known.insert(Arc::clone(&key), task);
        if let Some(task) = &before {
            self.bytes -= task.held_bytes();
        } else {
            self.bytes += key.len();
            self.order.push_back(key);
        }
        while self.order.len() > MAX_TASKS || self.bytes > MAX_BYTES {
            self.forget_oldest();
        }
        before
    }

    fn forget_oldest(&mut self) {
        let Some(key) = self.order.pop_front() else {
            return;
        };
        let Some(task) = self.known.remove(&key) else {
            return;
        };
        self.bytes -= key.len() + task.held_bytes();
        if matches!(task, Task::Asked { .. }) {
            self.forgotten.increment(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{Name, Output, Prediction, Values};

    fn tasks() -> Tasks {
        Tasks::new(Counter::noop())
    }

    /// Submits a task with one row of a feature of `len` bytes at least.
    fn submit(tasks: &mut Tasks, id: &str, len: usize) {
        let mut asked = Inference {
            model: Some("m".to_owned()),
            rows: 1,
            features: vec![Column {
                name: Name::Word("a".into()),
                values: Values::Numbers(vec![0.5; len / 8 + 1].into()),
            }],
            task: Some(id.to_owned()),
            ..Inference::default()
        };
        tasks.join(&mut asked, &Exchange::example("/classify/submit", "", ""));
    }

    fn answer(tasks: &mut Tasks, id: &str, items: usize) -> Inference {
        answer_of("/classify", tasks, id, items)
    }

    fn answer_of(service: &str, tasks: &mut Tasks, id: &str, items: usize) -> Inference {
        let mut inference = Inference {
            outputs: vec![Output::from(Prediction::Index(1)); items],
            task: Some(id.to_owned()),
            ..Inference::default()
        };
        let mut exchange = Exchange::example(&format!("{service}/get"), "", "");
        exchange.query = Some(format!("task_id={id}"));
        tasks.join(&mut inference, &exchange);
        inference
    }

    #[test]
    fn an_answer_gets_what_its_task_was_asked() {
        let mut tasks = tasks();
        submit(&mut tasks, "a", 0);
        submit(&mut tasks, "b", 0);
        let read = answer(&mut tasks, "a", 1);
        assert_eq!(
            (read.rows, read.features.len(), read.outputs.len()),
            (1, 1, 1)
        );
        let other = answer(&mut tasks, "c", 1);
        assert_eq!((other.rows, other.outputs.len()), (0, 1));
        let longer = answer(&mut tasks, "b", 2);
        assert_eq!((longer.rows, longer.outputs.len()), (0, 2));
    }

    #[test]
    fn a_result_that_is_asked_for_twice_counts_once() {
        let mut tasks = tasks();
        submit(&mut tasks, "a", 0);
        assert_eq!(answer(&mut tasks, "a", 1).outputs.len(), 1);
        assert_eq!(answer(&mut tasks, "a", 1).items(), 0);
        assert_eq!(answer(&mut tasks, "not submitted", 2).outputs.len(), 2);
        assert_eq!(answer(&mut tasks, "not submitted", 2).items(), 0);
    }

    #[test]
    fn an_answer_is_of_the_model_that_was_asked_and_no_other() {
        let mut tasks = tasks();
        submit(&mut tasks, "a", 0);
        let other = answer_of("/summarize", &mut tasks, "a", 1);
        assert_eq!((other.model, other.rows, other.outputs.len()), (None, 0, 1));
        let own = answer(&mut tasks, "a", 1);
        assert_eq!((own.model.as_deref(), own.rows), (Some("m"), 1));
    }

    #[test]
    fn a_result_of_no_items_leaves_what_was_asked() {
        let mut tasks = tasks();
        submit(&mut tasks, "a", 0);
        answer(&mut tasks, "a", 0);
        assert_eq!(answer(&mut tasks, "a", 1).rows, 1);
    }

    #[test]
    fn the_oldest_leaves_when_there_are_too_many() {
        let mut tasks = tasks();
        for id in 0..=MAX_TASKS {
            submit(&mut tasks, &id.to_string(), 0);
        }
        assert_eq!(tasks.known.len(), MAX_TASKS);
        assert_eq!(answer(&mut tasks, "1", 1).rows, 1);
        assert_eq!(answer(&mut tasks, "0", 1).rows, 0);
    }

    #[test]
    fn the_oldest_leave_when_they_are_too_large() {
        let mut tasks = tasks();
        for id in 0..20 {
            submit(&mut tasks, &id.to_string(), MAX_BYTES / 10);
        }
        assert!(tasks.bytes <= MAX_BYTES && tasks.known.len() < 10);
        assert_eq!(answer(&mut tasks, "19", 1).rows, 1);
        submit(&mut tasks, "all", 2 * MAX_BYTES);
        assert_eq!(
            (tasks.bytes, tasks.known.len(), tasks.order.len()),
            (0, 0, 0)
        );
    }
}
