//! Text for people: wrapping, durations, counts. Pure.

use std::time::Duration;

/// Wraps a text to a width. `first` stands before the first line, `rest` before the others. Lines that begin with a blank are
/// commands or snippets: they stay whole.
pub fn wrap(text: &str, width: usize, first: &str, rest: &str) -> String {
    let mut lines = Vec::new();
    for line in text.lines() {
        let lead = if lines.is_empty() { first } else { rest };
        if line.starts_with([' ', '\t']) {
            lines.push(format!("{lead}{line}"));
        } else {
            wrap_line(line, width, lead, rest, &mut lines);
        }
    }
    if lines.is_empty() {
        lines.push(first.to_owned());
    }
    lines.join("\n")
}

fn wrap_line(line: &str, width: usize, first: &str, rest: &str, lines: &mut Vec<String>) {
    let mut current = first.to_owned();
    let mut is_empty = true;
    for word in line.split(' ') {
        if !is_empty && length(&current) + 1 + length(word) > width {
            lines.push(std::mem::replace(&mut current, rest.to_owned()));
            is_empty = true;
        }
        if !is_empty {
            current.push(' ');
        }
        current.push_str(word);
        is_empty = false;
    }
    lines.push(current);
}

/// The number of characters.
pub(super) fn length(text: &str) -> usize {
    text.chars().count()
}

/// Cuts a text that is longer than some characters; the cut is marked.
pub(super) fn cut(text: &str, longest: usize) -> String {
    let first = text.lines().next().unwrap_or_default();
    if length(first) <= longest && first.len() == text.trim_end().len() {
        return first.to_owned();
    }
    let head: String = first.chars().take(longest.saturating_sub(1)).collect();
    format!("{}…", head.trim_end())
}

/// A duration as people say it: `40 ms`, `0.4 s`, `12 s`, `2 min 5 s`, `1 h 3 min`.
pub fn duration(took: Duration) -> String {
    let seconds = took.as_secs();
    if took.as_millis() < 100 {
        return format!("{} ms", took.as_millis());
    }
    if seconds < 10 && took.subsec_millis() >= 50 {
        return format!("{:.1} s", took.as_secs_f64());
    }
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    match (hours, minutes) {
        (0, 0) => format!("{seconds} s"),
        (0, _) if seconds.is_multiple_of(60) => format!("{minutes} min"),
        (0, _) => format!("{minutes} min {} s", seconds % 60),
        (_, _) => format!("{hours} h {} min", minutes % 60),
    }
}

/// A number of things: `1 error`, `3 errors`.
pub(super) fn count(number: usize, one: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {one}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrapped_text_keeps_to_its_width_and_loses_no_word() {
        let text = "release `kafka` exists in namespace `data-mill` but datamill did not create it";
        let wrapped = wrap(text, 40, "hint: ", "      ");
        assert!(wrapped.lines().all(|line| length(line) <= 40), "{wrapped}");
        assert_eq!(wrapped.split_whitespace().skip(1).collect::<Vec<_>>().join(" "), text);
    }

    #[test]
    fn commands_and_long_words_stay_whole() {
        let long = "x".repeat(60);
        assert_eq!(wrap(&long, 20, "", ""), long);
        let text = "run:\n    datamill plan --flavour another-flavour-with-a-long-name";
        assert_eq!(wrap(text, 20, "", "").lines().count(), 2);
    }

    #[test]
    fn durations_read_well() {
        let text = |millis| duration(Duration::from_millis(millis));
        assert_eq!(text(0), "0 ms");
        assert_eq!(text(99), "99 ms");
        assert_eq!(text(100), "0.1 s");
        assert_eq!(text(1_240), "1.2 s");
        assert_eq!(text(3_000), "3 s");
        assert_eq!(text(59_900), "59 s");
        assert_eq!(text(125_000), "2 min 5 s");
        assert_eq!(text(300_000), "5 min");
        assert_eq!(text(3_780_000), "1 h 3 min");
    }

    #[test]
    fn a_cut_is_marked() {
        assert_eq!(cut("short", 10), "short");
        assert_eq!(cut("somewhat longer", 9), "somewhat…");
        assert_eq!(cut("two\nlines", 10), "two…");
    }
}
