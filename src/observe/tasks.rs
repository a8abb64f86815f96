//! What asynchronous tasks were asked, until their answers come.
//!
//! One exchange submits a task and another gets its result; the id of the task joins them. Ids come
//! from servers, so the table is bounded: the oldest leaves.

use std::collections::{HashMap, VecDeque};

use ::metrics::Counter;

use crate::decode::{Column, Inference};

/// Most tasks that are known.
const MAX_TASKS: usize = 4096;
/// Most bytes that their features take.
const MAX_BYTES: usize = 8 << 20;

/// Tasks by their id.
pub(super) struct Tasks {
    known: HashMap<String, Task>,
    /// Ids of all of them, the oldest first.
    order: VecDeque<String>,
    bytes: usize,
    forgotten: Counter,
}

enum Task {
    /// Not answered yet.
    Asked { rows: usize, features: Vec<Column> },
    /// Its result was seen: whoever asks for it again gets no second prediction.
    Answered,
}

impl Task {
    fn held_bytes(&self) -> usize {
        match self {
            Self::Asked { features, .. } => features.iter().map(Column::held_bytes).sum(),
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
    pub(super) fn join(&mut self, inference: &mut Inference) {
        let Some(id) = inference.task.clone() else {
            return;
        };
        if inference.outputs.is_empty() {
            let (rows, features) = (inference.rows, inference.features.clone());
            self.put(id, Task::Asked { rows, features });
            return;
        }
        match self.put(id, Task::Answered) {
            Some(Task::Asked { rows, features }) if rows == inference.outputs.len() => {
                inference.rows = rows;
                inference.features = features;
            }
            Some(Task::Answered) => {
                inference.outputs = Vec::new();
                inference.probabilities = None;
            }
            Some(Task::Asked { .. }) | None => {}
        }
    }

    /// What was known of the task before.
    fn put(&mut self, id: String, task: Task) -> Option<Task> {
        self.bytes += task.held_bytes();
        let before = self.known.insert(id.clone(), task);
        match &before {
            Some(task) => self.bytes -= task.held_bytes(),
            None => self.order.push_back(id),
        }
        while self.order.len() > MAX_TASKS || self.bytes > MAX_BYTES {
            self.forget_oldest();
        }
        before
    }

    fn forget_oldest(&mut self) {
        let oldest = self.order.pop_front();
        let Some(task) = oldest.and_then(|id| self.known.remove(&id)) else {
            return;
        };
        self.bytes -= task.held_bytes();
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
        tasks.join(&mut Inference {
            rows: 1,
            features: vec![Column {
                name: Name::Word("a".to_owned()),
                values: Values::Numbers(vec![0.5; len / 8 + 1]),
            }],
            task: Some(id.to_owned()),
            ..Inference::default()
        });
    }

    fn answer(tasks: &mut Tasks, id: &str, items: usize) -> Inference {
        let mut inference = Inference {
            outputs: vec![Output::from(Prediction::Index(1)); items],
            task: Some(id.to_owned()),
            ..Inference::default()
        };
        tasks.join(&mut inference);
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
