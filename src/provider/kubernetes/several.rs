//! Several things at a time.

use futures::stream::{self, StreamExt as _};

/// Runs futures, at most `at_a_time` at once; answers in the order given. The futures are made beforehand: a stream that makes
/// them from borrowed things is not `Send` for every lifetime.
pub(super) async fn several<F: Future>(futures: Vec<F>, at_a_time: usize) -> Vec<F::Output> {
    stream::iter(futures).buffered(at_a_time).collect().await
}
