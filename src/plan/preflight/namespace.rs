//! Namespaces that a plan wants and that are on their way out.

use super::read::{list, name, text};
use super::wish::Wishes;
use super::{Check, Facts, Finding, Severity};
use crate::model::ObjectRef;

/// Names terminating namespaces and what holds them.
pub(super) fn findings(wishes: &Wishes<'_>, facts: &Facts) -> Vec<Finding> {
    let Some(namespaces) = &facts.namespaces else { return Vec::new() };
    let wanted = wishes.namespaces();
    let going = namespaces.iter().filter(|namespace| {
        namespace.0.pointer("/metadata/deletionTimestamp").is_some()
            && wanted.contains(name(namespace))
    });
    let one = |namespace: &crate::model::Object| {
        let called = name(namespace);
        let inside = |object: &ObjectRef| {
            object.namespace.as_deref() == Some(called)
                || object.kind == "Namespace" && object.name == called
        };
        let written = wishes.written.iter().filter(|w| inside(&w.name)).map(|w| w.step);
        let releases = wishes.releases.iter().filter(|(_, n)| n == called).map(|(step, _)| *step);
        let what = format!("namespace {called} is being deleted");
        let mut finding = Finding::new(Check::Namespaces, Severity::Blocking, what)
            .about(written.chain(releases));
        for condition in list(&namespace.0, "/status/conditions") {
            if text(condition, "/status") == "True" {
                finding = finding.because(text(condition, "/message"));
            }
        }
        for held in facts.held.get(called).into_iter().flatten() {
            finding = finding.because(held);
        }
        finding.todo(format!(
            "wait until it is gone, or run what should remove these finalizers (an operator, most often); see what is left:\n    kubectl get namespace {called} -o jsonpath='{{.status.conditions}}'"
        ))
    };
    going.map(one).collect()
}
