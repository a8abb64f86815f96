//! Where hyper runs the tasks that HTTP/2 takes: on the data thread itself.

use ::metrics::Counter;
use hyper::rt::Executor;

use crate::panics::CountUnwinding;

/// Runs the tasks of hyper on this thread; a panic loses one of them and is counted.
#[derive(Clone)]
pub(super) struct Local(pub(super) Counter);

impl<F: Future<Output: 'static> + 'static> Executor<F> for Local {
    fn execute(&self, task: F) {
        let count = CountUnwinding(self.0.clone());
        tokio::task::spawn_local(async move {
            let _count = count;
            task.await
        });
    }
}
