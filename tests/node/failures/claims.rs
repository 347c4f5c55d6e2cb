//! Claims whose volume comes with the first pod that uses it.

use super::*;

#[test]
fn a_claim_that_waits_for_its_first_consumer_holds_nothing_up() {
    let Some(case) = Case::open("late", &["store"]) else { return };
    let steps = "claims:\n  - {id: data, kind: volume, name: \"${self.release}-data\", size: 1Mi}\nsteps:\n  - id: chart\n    kind: helm\n    release: \"${self.release}\"\n    chart: {path: chart}\n    stall: 5m\n";
    component(&case.sandbox, "store", steps);
    let volume = "volumes: [{name: data, persistentVolumeClaim: {claimName: store-data}}]";
    let mounted = answer("") + "\nvolumeMounts: [{name: data, mountPath: /data}]";
    chart(&case.sandbox, "store", "{}\n", &[&deployment(&mounted, volume)]);
    // The claim is a step of its own, before that of its pod.
    let run = case.install();
    ends_with(&run, 0, &[]);
    let made = run.stderr.find("store/claim/data: created").expect(&run.stderr);
    let begun = run.stderr.find("store/release/chart: create").expect(&run.stderr);
    assert!(made < begun, "{}", run.stderr);
    let phase = ["get", "pvc", "store-data", "-o", "jsonpath={.status.phase}"];
    assert_eq!(case.kubectl(&phase), "Bound");
    ends_with(&case.install(), 0, &["nothing to do"]);
}
