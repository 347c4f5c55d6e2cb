//! Pods that do not want to end.

use super::*;

#[test]
fn a_pod_that_ignores_being_told_to_end_is_waited_for_and_named() {
    let Some(case) = Case::open("endings", &["deaf"]) else { return };
    let template = deployment(&answer("{name: IGNORE_TERM, value: 'yes'}"), "");
    let template = template.replace("GracePeriodSeconds: 1", "GracePeriodSeconds: 15");
    case.chart("deaf", Duration::from_mins(5), &[&template]);
    succeeds(&case.install());
    let run = case.run(&["-k", "-u", "--yes"]);
    ends_with(
        &run,
        0,
        &["waits until Pod endings/deaf-", "it was told to end and has 15 s for it"],
    );
    assert_eq!(case.kubectl(&["get", "pods", "-o", "name"]), "");
    case.converges();
}
