//! What a script reads on standard output: one document for a command, written when it ends, however it ends.

use serde_json::{Map, Value as Json, json};

use crate::model::Failure;
use crate::yaml::{self, Span};

use super::failure::{failure_json, failure_text};
use super::report;
use super::screen::{Asked, Mode, Screen};

/// The version of the documents and events; `docs/output.md` says what it promises.
pub(super) const VERSION: u32 = 1;

/// What a command has found so far.
#[derive(Default)]
pub(super) struct Answers {
    /// Problems of files, each once.
    pub(super) problems: Vec<Json>,
    /// Where secrets stand in files.
    pub(super) hidden: Vec<Span>,
    /// The document and what it is called.
    document: Option<(&'static str, Json)>,
    /// Whether standard output already carries what was asked for, word for word.
    is_verbatim: bool,
}

impl Screen {
    /// Answers what was asked for: a person reads the text now, a script the document at the end.
    pub fn print_document(&self, name: &'static str, document: &Json, text: &str) {
        if self.look().is_document() {
            self.answers().document = Some((name, document.clone()));
        } else {
            self.answer(text);
        }
    }

    /// Answers with a document that has a shape of its own, such as a JSON Schema: nothing is added to it.
    pub fn print_verbatim(&self, document: &Json) {
        self.answers().is_verbatim = true;
        self.answer_in_form(document);
    }

    fn answer_in_form(&self, document: &Json) {
        match self.look().mode {
            Mode::Yaml => self.answer(&yaml::to_yaml(document)),
            Mode::Terminal | Mode::Plain | Mode::Json | Mode::Markdown | Mode::Svg => {
                self.answer(&format!("{document:#}"));
            }
        }
    }

    /// Ends a command: takes bars off the screen, and says what failed. A script gets its document, whose `error` is then set.
    pub fn finish(&self, failure: Option<&Failure>) {
        self.end_run();
        let failure = failure.map(|failure| self.completed_failure(failure));
        if !self.look().is_document() {
            if let Some(failure) = failure {
                self.say(&failure_text(&failure, self.look().width, self.paint()));
            }
            return;
        }
        let answers = std::mem::take(&mut *self.answers());
        let error = failure.as_ref().map(failure_json);
        if let Some(error) = &error {
            self.event(&json!({"event": "error", "error": error}));
        } else if answers.is_verbatim {
            return;
        }
        let (name, document) = match (answers.document, self.look().asked) {
            (Some(document), _) => document,
            (None, Asked::Problems) => ("validation", json!({"valid": false})),
            (None, Asked::Report) if failure.is_none() => ("report", report::nothing_done()),
            (None, Asked::Plan | Asked::Report | Asked::Document) => ("error", json!({})),
        };
        let mut all = Map::new();
        if let Json::Object(document) = document {
            all.extend(document);
        }
        all.insert("version".to_owned(), json!(VERSION));
        all.insert("document".to_owned(), json!(name));
        all.insert("problems".to_owned(), Json::Array(answers.problems));
        all.insert("error".to_owned(), json!(error));
        self.answer_in_form(&Json::Object(all));
    }

    /// A failure whose hints name commands that work when they are pasted.
    pub(super) fn completed_failure(&self, failure: &Failure) -> Failure {
        let hints = failure.hints.iter().map(|hint| self.completed(hint)).collect();
        Failure { hints, ..failure.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Look;
    use super::super::screen::tests::{Recorded, recorded};
    use super::*;
    use crate::model::FailureKind;

    fn ended(look: Look, print: bool, failure: Option<&Failure>) -> Recorded {
        let recorded = recorded(look);
        if print {
            recorded.screen.print_document("thing", &json!({"a": 1}), "a is 1");
        }
        recorded.screen.finish(failure);
        recorded
    }

    fn failure() -> Failure {
        Failure::new(FailureKind::Foreign, "it is not ours").hint("look:\n    datamill plan")
    }

    #[test]
    fn however_a_command_ends_a_script_reads_one_document() {
        for print in [false, true] {
            for failure in [None, Some(&failure())] {
                for asked in [Asked::Plan, Asked::Report, Asked::Problems, Asked::Document] {
                    for mode in [Mode::Json, Mode::Yaml] {
                        let text =
                            ended(Look { asked, ..Look::new(mode) }, print, failure).stdout();
                        if mode == Mode::Yaml {
                            assert!(text.contains("\nversion: 1\n"), "{text}");
                            assert_eq!(text.contains("error: null\n"), failure.is_none(), "{text}");
                            continue;
                        }
                        let document: Json = serde_json::from_str(&text).unwrap();
                        assert_eq!(document["version"], 1, "{text}");
                        assert!(document["document"].is_string(), "{text}");
                        assert!(document["problems"].is_array(), "{text}");
                        assert_eq!(document["error"].is_null(), failure.is_none(), "{text}");
                        assert_eq!(document.get("a").is_some(), print, "{text}");
                    }
                }
            }
        }
    }

    #[test]
    fn an_error_says_kind_exit_message_causes_and_hints() {
        let recorded = ended(Look::new(Mode::Json), true, Some(&failure()));
        let document: Json = serde_json::from_str(&recorded.stdout()).unwrap();
        let error = json!({
            "kind": "foreign", "exit": 11, "message": "it is not ours",
            "causes": [], "hints": ["look:\n    datamill plan"],
        });
        assert_eq!(document["error"], error);
        let event: Json = serde_json::from_str(&recorded.stderr()).unwrap();
        assert_eq!(event, json!({"event": "error", "version": 1, "error": error}));
    }

    #[test]
    fn a_document_of_another_shape_stands_alone() {
        let recorded = recorded(Look { asked: Asked::Document, ..Look::new(Mode::Yaml) });
        recorded.screen.print_verbatim(&json!({"$schema": "x"}));
        recorded.screen.finish(None);
        assert_eq!(recorded.stdout(), "$schema: x\n");
    }

    #[test]
    fn commands_in_hints_are_completed() {
        let recorded = recorded(Look::new(Mode::Plain));
        recorded
            .screen
            .complete_by(Box::new(|text| text.replace("datamill plan", "datamill plan -l")));
        recorded.screen.finish(Some(&failure()));
        assert!(recorded.stderr().ends_with("    datamill plan -l\n"), "{}", recorded.stderr());
    }
}
