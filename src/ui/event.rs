//! Events of a run as lines for a log and as JSON for scripts. Pure.

use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::engine::{Event, Outcome};
use crate::model::ResourceId;
use crate::plan::{Action, Marking};

use super::json::{OutcomeDocument, action_word, skipped};
use super::text::{count, duration};

/// What became of a step, as a past participle.
pub(super) fn done_word(id: &ResourceId, action: &Action, outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Failed(_) => return "failed",
        Outcome::Skipped(_) => return "skipped",
        Outcome::Done | Outcome::Assumed(_) | Outcome::Started => {}
    }
    match action {
        Action::Create | Action::Update | Action::Keep if id.kind.only_looks() => "ready",
        Action::Create => "created",
        Action::Update => "updated",
        Action::Repair => "repaired",
        Action::Replace => "replaced",
        Action::Adopt => "adopted",
        Action::Mark { how: Marking::Orphan } => "orphaned",
        Action::Mark { how: Marking::Volume } => "restored",
        Action::Mark { how: Marking::Protect { said } } if said.on => "protected",
        Action::Mark { how: Marking::Protect { .. } } => "unprotected",
        Action::Delete => "deleted",
        Action::Keep => "unchanged",
        Action::Retain { .. } => "retained",
        Action::Use => "used",
        Action::GoesWith { .. } => "gone with its host",
        Action::Start => "started",
        Action::Deferred { .. } => "resolved",
        Action::Waiting { .. } => "waiting",
        Action::Blocked { .. } => "blocked",
    }
}

/// How a step ended: `created in 12 s`, `failed after 3 s: …`.
pub(super) fn ending(
    id: &ResourceId,
    action: &Action,
    outcome: &Outcome,
    took: Duration,
) -> String {
    let word = done_word(id, action, outcome);
    let took = duration(took);
    match outcome {
        Outcome::Done => format!("{word} in {took}"),
        Outcome::Assumed(_) => format!("{word} in {took}, assumed: no container runs"),
        Outcome::Started => format!("{word} in {took}; its job goes on"),
        Outcome::Failed(failure) => format!("{word} after {took}: {failure}"),
        Outcome::Skipped(reason) => format!("{word}: {}", skipped(reason)),
    }
}

/// An event as a line for a log.
pub(super) fn line(event: &Event) -> String {
    match event {
        Event::RunStarted { steps } => count(*steps, "step"),
        Event::Started { id, action } if id.kind.only_looks() && *action != Action::Delete => {
            format!("{id}: wait")
        }
        Event::Started { id, action } => format!("{id}: {}", action.verb()),
        Event::Progress { id, says } => format!("{id}: {says}"),
        Event::Retrying { id, because, after } => {
            format!("{id}: tries again in {}: {because}", duration(*after))
        }
        Event::Finished { id, action, outcome, took } => {
            format!("{id}: {}", ending(id, action, outcome, *took))
        }
        Event::Interrupted => interrupted().to_owned(),
        Event::LockLost => lock_lost().to_owned(),
    }
}

/// What is said at the first interrupt.
pub(super) fn interrupted() -> &'static str {
    "interrupted: nothing new is started, calls that run come to their end; once more stops at once"
}

/// What is said when the lock is lost.
pub(super) fn lock_lost() -> &'static str {
    "the lock is lost: nothing new is started, calls that run come to their end"
}

/// An event for scripts. Durations are in milliseconds.
pub(super) fn json_line(event: &Event) -> Json {
    match event {
        Event::RunStarted { steps } => json!({"event": "run-started", "steps": steps}),
        Event::Started { id, action } => {
            json!({"event": "started", "id": id, "action": action_word(action)})
        }
        Event::Progress { id, says } => json!({"event": "progress", "id": id, "says": says}),
        Event::Retrying { id, because, after } => json!({
            "event": "retrying", "id": id, "because": because, "afterMs": millis(*after),
        }),
        Event::Finished { id, action, outcome, took } => {
            let mut line = json!({
                "event": "finished", "id": id, "action": action_word(action), "tookMs": millis(*took),
            });
            let outcome = json!(OutcomeDocument::new(outcome));
            if let (Some(line), Json::Object(outcome)) = (line.as_object_mut(), outcome) {
                line.extend(outcome);
            }
            line
        }
        Event::Interrupted => json!({"event": "interrupted"}),
        Event::LockLost => json!({"event": "lock-lost"}),
    }
}

/// Whole milliseconds.
pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::SkipReason;
    use crate::model::{Failure, FailureKind};

    fn id(text: &str) -> ResourceId {
        text.parse().unwrap()
    }

    fn finished(outcome: Outcome) -> Event {
        let took = Duration::from_millis(12_345);
        Event::Finished { id: id("kafka/release/kafka"), action: Action::Create, outcome, took }
    }

    #[test]
    fn each_event_is_one_line_that_begins_with_its_id() {
        let failure = Failure::new(FailureKind::NotReady, "it has stalled").because("no node");
        let need = SkipReason::NeedFailed(id("minio/release/minio"));
        let table = [
            (finished(Outcome::Done), "kafka/release/kafka: created in 12 s"),
            (
                finished(Outcome::Assumed(vec!["ready".to_owned()])),
                "kafka/release/kafka: created in 12 s, assumed: no container runs",
            ),
            (finished(Outcome::Started), "kafka/release/kafka: created in 12 s; its job goes on"),
            (
                finished(Outcome::Failed(failure)),
                "kafka/release/kafka: failed after 12 s: it has stalled",
            ),
            (
                finished(Outcome::Skipped(need)),
                "kafka/release/kafka: skipped: `minio/release/minio` failed",
            ),
            (Event::RunStarted { steps: 3 }, "3 steps"),
            (
                Event::Started { id: id("kafka/health/installed"), action: Action::Create },
                "kafka/health/installed: wait",
            ),
        ];
        for (event, wanted) in table {
            assert_eq!(line(&event), wanted);
        }
    }

    #[test]
    fn scripts_read_the_same_facts() {
        let failure = Failure::new(FailureKind::NotReady, "it has stalled").because("no node");
        let json = json_line(&finished(Outcome::Failed(failure)));
        assert_eq!(json["event"], "finished");
        assert_eq!(json["id"], "kafka/release/kafka");
        assert_eq!(json["outcome"], "failed");
        assert_eq!(json["tookMs"], 12_345);
        assert_eq!(json["error"]["causes"][0], "no node");
    }
}
