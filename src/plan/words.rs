//! One change in words: who made it, what it does, and both values short enough for a line.

use super::{Change, Effect, Origin, Shown};

/// Who made a difference and what it does, in words.
pub(super) fn origin_and_effect(change: &Change) -> String {
    let origin = match change.origin {
        Origin::You => "by you",
        Origin::Somebody => "by somebody",
        Origin::Unknown => "origin unknown",
    };
    let effect = match change.effect {
        Effect::InPlace => return origin.to_owned(),
        Effect::Restart => "restarts pods",
        Effect::Recreate => "made anew",
        Effect::LosesData => "DATA IS LOST",
    };
    format!("{origin}, {effect}")
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
        (cut(&from, half), cut(&to, half))
    }
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
    fn the_longer_value_is_cut_and_both_fit() {
        assert_eq!(fitted("a", "b", 20), ("a".to_owned(), "b".to_owned()));
        for (from, to) in [("x".repeat(50), "y".repeat(5)), ("x".repeat(5), "y".repeat(50))] {
            let (from, to) = fitted(&from, &to, 40);
            assert_eq!(from.chars().count() + to.chars().count(), 40);
        }
        let (from, to) = fitted(&"x".repeat(50), &"é".repeat(50), 40);
        assert_eq!((from.chars().count(), to.chars().count()), (20, 20));
    }
}
