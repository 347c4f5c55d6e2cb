//! Takes the secrets that a run knows out of a plan, before anybody sees it.

use super::objects::IGNORED;
use super::{Change, Plan, Shown};
use crate::model::Redactor;

impl Shown {
    /// The same without the value itself.
    #[must_use]
    pub(super) fn masked(self) -> Self {
        match self {
            Self::Text(_) | Self::Masked => Self::Masked,
            Self::Absent | Self::Unknown => self,
        }
    }
}

impl Plan {
    /// Masks every value that holds a known secret, and what stands on the other side of it: that may be the secret before or
    /// after it was changed, which nobody knows any more or yet.
    pub fn mask(&mut self, redactor: &Redactor) {
        for step in &mut self.steps {
            step.changes.iter_mut().for_each(|change| mask(change, redactor));
            step.notes.iter_mut().for_each(|note| mask_note(note, redactor));
        }
        self.notes.iter_mut().for_each(|note| mask_note(note, redactor));
    }
}

fn mask(change: &mut Change, redactor: &Redactor) {
    let secret = |side: &Shown| match side {
        Shown::Masked => true,
        Shown::Text(text) => redactor.finds(text),
        Shown::Absent | Shown::Unknown => false,
    };
    if secret(&change.from) || secret(&change.to) {
        change.from = std::mem::replace(&mut change.from, Shown::Absent).masked();
        change.to = std::mem::replace(&mut change.to, Shown::Absent).masked();
    }
}

/// Of what is left to others both values go, as of any change.
fn mask_note(note: &mut String, redactor: &Redactor) {
    if !redactor.finds(note) {
        return;
    }
    let parts = note.split_once(" is ").zip(note.rsplit_once(" ("));
    *note = match parts {
        Some(((place, _), (_, reason))) if note.starts_with(IGNORED) => {
            redactor.redact(&format!("{place} ({reason}"))
        }
        Some(_) | None => redactor.redact(note),
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Secret;
    use crate::plan::{Effect, Origin};

    fn redactor() -> Redactor {
        let redactor = Redactor::default();
        redactor.learn(&Secret::new("rotB888"));
        redactor
    }

    fn change(from: Shown, to: Shown) -> (Shown, Shown) {
        let (effect, origin) = (Effect::InPlace, Origin::You);
        let path = "/data/v".to_owned();
        let mut change = Change { object: None, path, from, to, effect, origin, by: None };
        mask(&mut change, &redactor());
        (change.from, change.to)
    }

    #[test]
    fn both_sides_of_a_known_secret_are_masked() {
        let text = |text: &str| Shown::Text(text.to_owned());
        let masked = (Shown::Masked, Shown::Masked);
        assert_eq!(change(text("rotA777"), text("rotB888")), masked);
        assert_eq!(change(text("u:rotB888@h"), text("u:rotC999@h")), masked);
        assert_eq!(change(Shown::Masked, text("rotC999")), masked);
        assert_eq!(change(text("rotB888"), Shown::Absent), (Shown::Masked, Shown::Absent));
        assert_eq!(change(text("rotB888"), Shown::Unknown), (Shown::Masked, Shown::Unknown));
        assert_eq!(change(text("a"), text("b")), (text("a"), text("b")));
    }

    #[test]
    fn a_note_about_what_is_left_to_others_names_neither_value() {
        let note = |says: &str| {
            let mut note = says.to_owned();
            mask_note(&mut note, &redactor());
            note
        };
        let says = format!("{IGNORED}ConfigMap n/a /data/v is rotA777, in the files rotB888 (why)");
        assert_eq!(note(&says), format!("{IGNORED}ConfigMap n/a /data/v (why)"));
        assert_eq!(note("chart says rotB888"), "chart says (secret)");
        assert_eq!(note("nothing is said (here)"), "nothing is said (here)");
    }
}
