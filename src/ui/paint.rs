//! Colour: adds to what a line says and never carries it.

/// A colour of the terminal's own palette.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// What comes.
    Green,
    /// What changes, and warnings.
    Yellow,
    /// What goes, and errors.
    Red,
    /// Headings and hints.
    Cyan,
    /// What matters less.
    Dim,
    /// What matters more.
    Bold,
}

/// Colours text, or leaves it as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paint {
    /// Whether colour is wanted.
    pub on: bool,
}

impl Paint {
    /// The text in a colour.
    pub fn text(self, colour: Colour, text: &str) -> String {
        if !self.on || text.is_empty() {
            return text.to_owned();
        }
        let code = match colour {
            Colour::Green => "32",
            Colour::Yellow => "33",
            Colour::Red => "31",
            Colour::Cyan => "36",
            Colour::Dim => "2",
            Colour::Bold => "1",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_colour_the_text_stays_as_it_is() {
        assert_eq!(Paint { on: false }.text(Colour::Red, "gone"), "gone");
        assert_eq!(Paint { on: true }.text(Colour::Red, "gone"), "\u{1b}[31mgone\u{1b}[0m");
        assert_eq!(Paint { on: true }.text(Colour::Red, ""), "");
    }
}
