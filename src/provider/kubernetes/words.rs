//! The last words of a container: some lines of its log, without secrets and without what would move a terminal.

use data_encoding::BASE64;

use super::cause::Log;
use super::explain::values;
use super::secret;
use crate::adapter::kube::{Cluster, KubeError, LogPart};
use crate::model::{Redactor, Secret};

/// How many lines are shown.
const LINES: usize = 10;
/// How many are read: some may be empty.
const READ: u16 = 30;
/// How many characters of a line are shown.
const WIDEST: usize = 300;

/// Why lines are not shown.
pub(super) struct Withheld(pub String);

/// The last lines of a container's log, of the one before it where it has none; and whether they are of the one before.
pub(super) async fn last_words(
    cluster: &Cluster,
    log: &Log,
    redactor: &Redactor,
) -> Result<(Vec<String>, bool), Withheld> {
    let own = mask(cluster, log).await?;
    let masked = |text: &str| redactor.redact(&own.redact(text));
    for previous in [log.previous, !log.previous] {
        let part = LogPart { container: log.container.clone(), previous, last_lines: READ };
        let text =
            cluster.log(&log.pod, &part).await.map_err(|error| Withheld(error.to_string()))?;
        let lines = lines(&masked(&text.unwrap_or_default()));
        if !lines.is_empty() {
            return Ok((lines, previous));
        }
    }
    Ok((Vec::new(), log.previous))
}

/// Knows what the container knows: a value of a Secret that is not read in this run would not be masked otherwise.
async fn mask(cluster: &Cluster, log: &Log) -> Result<Redactor, Withheld> {
    let own = Redactor::default();
    let namespace = log.pod.namespace.as_deref().unwrap_or("default");
    for name in &log.secrets {
        match cluster.get(&secret::reference(namespace, name)).await {
            Ok(Some(found)) => {
                let decoded = values(&found).filter_map(|v| BASE64.decode(v.as_bytes()).ok());
                for value in decoded.filter_map(|bytes| String::from_utf8(bytes).ok()) {
                    own.learn(&Secret::new(value));
                }
            }
            Ok(None) => {}
            Err(KubeError::Forbidden(_)) => {
                let because =
                    format!("it may hold values of Secret {name}, which this account may not read");
                return Err(Withheld(because));
            }
            Err(error) => return Err(Withheld(error.to_string())),
        }
    }
    Ok(own)
}

/// The last lines with something in them.
fn lines(text: &str) -> Vec<String> {
    let mut lines: Vec<String> =
        text.lines().map(clean).filter(|line| !line.trim().is_empty()).collect();
    lines.drain(..lines.len().saturating_sub(LINES));
    lines
}

/// A line without colours and other orders to a terminal, cut where it is very long.
fn clean(line: &str) -> String {
    // Of a line that was written over, the last stands.
    let line = line.trim_end_matches('\r');
    let line = line.rsplit('\r').next().unwrap_or(line);
    let mut cleaned = String::new();
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => skip_order(&mut chars),
            '\t' => cleaned.push(' '),
            c if c.is_control() || is_unseen(c) => {}
            c => cleaned.push(c),
        }
    }
    if cleaned.chars().count() > WIDEST {
        cleaned = cleaned.chars().take(WIDEST).chain(['…']).collect();
    }
    cleaned.trim_end().to_owned()
}

/// Characters that turn the direction of writing.
fn is_unseen(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The rest of an escape sequence: `[` up to a letter, `]` up to a bell or the next escape, else one character.
fn skip_order(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    match chars.next() {
        Some('[') => while chars.next().is_some_and(|c| !('@'..='~').contains(&c)) {},
        Some(']') => {
            while let Some(c) = chars.next() {
                if c == '\u{7}' {
                    break;
                }
                if c == '\u{1b}' {
                    chars.next();
                    break;
                }
            }
        }
        Some(_) | None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_hold_nothing_that_moves_a_terminal() {
        let text = "\u{1b}[31mred\u{1b}[0m\n\n\u{1b}]0;title\u{7}done\ttab\u{8}\n10%\r50%\r100%\r\n\u{202e}left";
        assert_eq!(lines(text), ["red", "done tab", "100%", "left"]);
    }

    #[test]
    fn lines_are_few_and_not_wide() {
        let many: Vec<String> = (0..50).map(|n| format!("line {n}")).collect();
        let last = lines(&many.join("\n"));
        assert_eq!((last.len(), last[0].as_str(), last[9].as_str()), (10, "line 40", "line 49"));
        assert_eq!(lines(&"x".repeat(9000))[0].chars().count(), WIDEST + 1);
    }
}
