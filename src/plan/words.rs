//! One change in words: who made it, what it does, and both values short enough for a line.

use std::time::Duration;

use super::{Change, Effect, Origin, Shown};
use crate::model::Writer;

/// Who made a difference and what it does, in words.
pub(super) fn origin_and_effect(change: &Change) -> String {
    let who = || change.by.as_ref().map_or_else(|| "somebody".to_owned(), writer);
    let origin = match change.origin {
        Origin::You => "by you".to_owned(),
        Origin::Somebody => format!("by {}", who()),
        Origin::Both => format!("by you, over a change by {}", who()),
        Origin::Unknown => "origin unknown".to_owned(),
    };
    let effect = match change.effect {
        Effect::InPlace => return origin,
        Effect::Restart => "restarts pods",
        Effect::Recreate => "made anew",
        Effect::LosesData => "DATA IS LOST",
    };
    format!("{origin}, {effect}")
}

/// A writer and how long ago it wrote: `kubectl-edit, 3 minutes ago`.
pub(super) fn writer(by: &Writer) -> String {
    match by.ago {
        Some(ago) => format!("{}, {} ago", by.manager, about(ago)),
        None => by.manager.clone(),
    }
}

/// A time in its largest unit.
fn about(time: Duration) -> String {
    const UNITS: [(u64, &str); 3] = [(86_400, "day"), (3_600, "hour"), (60, "minute")];
    let seconds = time.as_secs();
    let (count, unit) = UNITS
        .iter()
        .find(|(length, _)| seconds >= *length)
        .map_or((seconds, "second"), |(length, unit)| (seconds / length, *unit));
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

/// Both values of a change; of long texts the first line that differs, and where it is.
pub(super) fn values(change: &Change) -> (String, String, String) {
    if let (Shown::Text(from), Shown::Text(to)) = (&change.from, &change.to)
        && (from.contains('\n') || to.contains('\n'))
    {
        let (mut old, mut new, mut line) = (from.lines(), to.lines(), 1_usize);
        loop {
            match (old.next(), new.next()) {
                (Some(a), Some(b)) if a == b => line += 1,
                (a, b) => {
                    let text = |side: Option<&str>| side.unwrap_or("(none)").trim().to_owned();
                    return (format!(" (line {line})"), text(a), text(b));
                }
            }
        }
    }
    (String::new(), shown(&change.from), shown(&change.to))
}

fn shown(value: &Shown) -> String {
    match value {
        Shown::Absent => "(none)".to_owned(),
        Shown::Text(text) => text.clone(),
        Shown::Masked => "(secret)".to_owned(),
        Shown::Unknown => "(known later)".to_owned(),
    }
}

/// Both texts on one line, the longer one cut in its middle: the end of an image or a path says most.
pub(super) fn fitted(from: &str, to: &str, room: usize) -> (String, String) {
    let (from, to) = (from.replace('\n', " "), to.replace('\n', " "));
    let (long, short) = (from.chars().count(), to.chars().count());
    let half = room / 2;
    if long + short <= room {
        (from, to)
    } else if short <= half {
        (cut(&from, room - short), to)
    } else if long <= half {
        let to = cut(&to, room - long);
        (from, to)
    } else {
        let both = (cut(&from, half), cut(&to, half));
        if both.0 == both.1 { apart(&from, &to, half) } else { both }
    }
}

/// Two long texts that look alike when their middles are cut out: each from shortly before the place where they differ.
fn apart(from: &str, to: &str, room: usize) -> (String, String) {
    /// What stands before that place.
    const BEFORE: usize = 8;
    let same = from.chars().zip(to.chars()).take_while(|(a, b)| a == b).count();
    let skip = same.saturating_sub(BEFORE);
    let part = |text: &str| {
        let mut part: String = ['…'].into_iter().chain(text.chars().skip(skip)).collect();
        if part.chars().count() > room {
            part = part.chars().take(room.saturating_sub(1)).chain(['…']).collect();
        }
        part
    };
    (part(from), part(to))
}

fn cut(text: &str, room: usize) -> String {
    let room = room.max(8);
    let length = text.chars().count();
    if length <= room {
        return text.to_owned();
    }
    let head = (room - 1) / 2;
    let tail = room - 1 - head;
    let end = text.chars().skip(length - tail);
    text.chars().take(head).chain(['…']).chain(end).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_and_when_is_said_where_it_is_known() {
        let change = |origin, ago: Option<u64>| Change {
            object: None,
            path: "/x".to_owned(),
            from: Shown::Absent,
            to: Shown::Absent,
            effect: Effect::InPlace,
            origin,
            by: ago.map(|ago| Writer {
                manager: "kubectl-edit".to_owned(),
                at: None,
                ago: Some(Duration::from_secs(ago)),
            }),
        };
        let table = [
            (Origin::You, Some(5), "by you"),
            (Origin::Somebody, None, "by somebody"),
            (Origin::Somebody, Some(1), "by kubectl-edit, 1 second ago"),
            (Origin::Somebody, Some(200), "by kubectl-edit, 3 minutes ago"),
            (Origin::Both, Some(7200), "by you, over a change by kubectl-edit, 2 hours ago"),
            (Origin::Unknown, None, "origin unknown"),
        ];
        for (origin, ago, words) in table {
            assert_eq!(origin_and_effect(&change(origin, ago)), words);
        }
    }

    #[test]
    fn the_longer_value_is_cut_and_both_fit() {
        assert_eq!(fitted("a", "b", 20), ("a".to_owned(), "b".to_owned()));
        for (from, to) in [("x".repeat(50), "y".repeat(5)), ("x".repeat(5), "y".repeat(50))] {
            let (from, to) = fitted(&from, &to, 40);
            assert_eq!(from.chars().count() + to.chars().count(), 40);
        }
        let (from, to) = fitted(&"x".repeat(50), &"é".repeat(50), 40);
        assert_eq!((from.chars().count(), to.chars().count()), (20, 20));
        // What differs in the middle is seen.
        let text = |middle: &str| format!("{} {middle} {}", "x".repeat(50), "y".repeat(50));
        let (from, to) = fitted(&text("one"), &text("two"), 60);
        assert!(from.contains("one") && to.contains("two"), "{from} {to}");
        assert_eq!((from.chars().count(), to.chars().count()), (30, 30));
    }
}
