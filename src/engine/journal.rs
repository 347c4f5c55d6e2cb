//! Who is told of every call that writes: before it, so that nothing is done that nobody knows of, and after it.

use futures::future::BoxFuture;

use crate::model::Failure;
use crate::plan::Step;
use crate::provider::RunContext;

/// Writes down what a run does. It decides nothing: without it a rerun finds out by looking.
pub trait Journal: Send + Sync {
    /// A call that writes is about to be made. It is made only after this went well, so what is noted here must be durable by
    /// then. Each `intent` that went well is followed by a [`Journal::result`], unless the program dies.
    fn intent<'a>(
        &'a self,
        step: &'a Step,
        run: &'a RunContext,
    ) -> BoxFuture<'a, Result<(), Failure>>;

    /// The call came back.
    fn result<'a>(&'a self, step: &'a Step, failed: Option<&'a Failure>) -> BoxFuture<'a, ()>;
}

/// Writes nothing down.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoJournal;

impl Journal for NoJournal {
    fn intent<'a>(&'a self, _: &'a Step, _: &'a RunContext) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn result<'a>(&'a self, _: &'a Step, _: Option<&'a Failure>) -> BoxFuture<'a, ()> {
        Box::pin(std::future::ready(()))
    }
}
