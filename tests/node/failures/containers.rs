//! Containers that end, eat too much, or never get ready.

use super::*;

const STALL: Duration = Duration::from_secs(12);

#[test]
fn containers_that_do_not_get_ready_say_why_with_their_last_words() {
    let names = ["crash", "memory", "probe", "first"];
    let Some(case) = Case::open("containers", &names) else { return };
    let password = "correct-horse-battery";
    let secret = format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: {{{{ .Release.Name }}}}}}\nstringData: {{key: {password}}}\n"
    );
    let shell = |script: &str| {
        format!("image: {}\nimagePullPolicy: Never\ncommand: [sh, -c, '{script}']", node::BUSYBOX)
    };
    // Without a probe it would be ready in the moment in which it runs.
    let chatty = format!(
        "{}\nreadinessProbe: {{exec: {{command: [test, -e, /ready]}}}}\nenv: [{{name: KEY, valueFrom: {{secretKeyRef: {{name: {{{{ .Release.Name }}}}, key: key}}}}}}]",
        shell(
            r#"for i in $(seq 40); do echo line $i; done; printf "\033[31mkey is $KEY\033[0m\n"; echo cannot go on; exit 3"#
        )
    );
    let fine = answer("");
    case.chart("crash", STALL, &[&secret, &deployment(&chatty, "")]);
    let limit = "\nresources: {limits: {memory: 48Mi}}";
    let eats = answer("{name: EAT, value: \"200\"}") + limit;
    case.chart("memory", STALL, &[&deployment(&eats, "")]);
    case.chart("probe", STALL, &[&deployment(&answer("{name: READY_AFTER, value: never}"), "")]);
    let first = format!(
        "initContainers:\n  - name: prepare\n{}",
        indented(&shell("echo no such table; exit 4"), 4)
    );
    case.chart("first", STALL, &[&deployment(&fine, &first)]);

    let run = case.install();
    ends_with(&run, 7, &[]);
    let ended = [
        "did not become ready",
        "no progress for 12 s",
        "Deployment containers/crash: 0 of 1 ready",
        "container main ended",
        "with exit code 3",
        "line 40",
        "cannot go on",
        "kubectl logs -n containers crash-",
    ];
    says(&run, "crash/release/chart", &ended);
    let crash = about(&run, "crash/release/chart");
    assert!(crash.contains("key is (secret)"), "{crash}");
    assert!(!crash.contains("line 30 "), "few lines are enough: {crash}");
    for text in [&run.stdout, &run.stderr] {
        assert!(!text.contains(password) && !text.contains('\u{1b}'), "{text}");
    }
    says(
        &run,
        "memory/release/chart",
        &[
            "container main was killed",
            "its limit, which is 48Mi (OOMKilled)",
            "raise resources.limits.memory",
        ],
    );
    let probe = [
        "readiness probe (GET /ready on port 8080 every 1 s) does not pass",
        "503",
        "listening on :8080",
    ];
    says(&run, "probe/release/chart", &probe);
    says(
        &run,
        "first/release/chart",
        &["init container prepare ended", "exit code 4", "no such table"],
    );

    let status = case.run(&["-k", "status"]);
    ends_with(&status, 0, &["container main was killed", "init container prepare ended"]);

    // The Secret stays: what goes would be asked about.
    case.mend("crash", &[&secret, &deployment(&fine, "")]);
    for name in ["memory", "probe", "first"] {
        case.mend(name, &[&deployment(&fine, "")]);
    }
    case.converges();
}
