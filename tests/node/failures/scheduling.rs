//! Pods that no node takes.

use super::*;

/// A node that nobody runs, with a taint: only what asks for it by its label looks at it.
const GHOST: &str = r"
apiVersion: v1
kind: Node
metadata: {name: ghost, labels: {ghost: 'yes'}}
spec: {taints: [{key: reserved, value: others, effect: NoSchedule}]}
";

/// What belongs to no namespace, and goes however the test ends.
struct Everywhere(&'static Cluster);

impl Drop for Everywhere {
    fn drop(&mut self) {
        for what in [["node", "ghost"], ["storageclass", "idle"]] {
            let delete = ["delete", "--wait=false", "--ignore-not-found"];
            self.0.kubectl_command().args(delete).args(what).output().ok();
        }
    }
}

#[test]
fn pods_that_no_node_takes_say_so_in_numbers_and_names() {
    let names = ["large", "tainted", "unbound", "unclaimed"];
    let Some(case) = Case::open("scheduling", &names) else { return };
    let _everywhere = Everywhere(case.cluster);
    let file = case.sandbox.write("ghost.yaml", GHOST);
    case.cluster.kubectl(&["apply", "-f", file.to_str().unwrap()]);
    let class = "apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: {name: idle}\nprovisioner: example.org/nobody\n";
    let file = case.sandbox.write("class.yaml", class);
    case.cluster.kubectl(&["apply", "-f", file.to_str().unwrap()]);
    let stall = Duration::from_secs(10);
    let container = answer("");
    let large = container.clone() + "\nresources: {requests: {cpu: \"1000\"}}";
    case.chart("large", stall, &[&deployment(&large, "")]);
    case.chart("tainted", stall, &[&deployment(&container, "nodeSelector: {ghost: 'yes'}")]);
    let volume = |claim: &str| {
        format!("volumes: [{{name: data, persistentVolumeClaim: {{claimName: {claim}}}}}]")
    };
    let claim = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: idle}\nspec: {storageClassName: idle, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}\n";
    case.chart("unbound", stall, &[claim, &deployment(&container, &volume("idle"))]);
    case.chart("unclaimed", stall, &[&deployment(&container, &volume("nowhere"))]);

    // Preflight sees the first two coming.
    let plan = case.run(&["-k", "plan"]);
    ends_with(&plan, 8, &["fit on no node", "large", "cpu", "taint reserved=others"]);
    let run = case.run(&["-k", "-i", "--skip-preflight", "capacity,storage"]);
    ends_with(&run, 7, &[]);
    says(
        &run,
        "large/release/chart",
        &["no node takes it", "Insufficient cpu", "it asks for cpu 1000", "free)", "ask for less"],
    );
    says(
        &run,
        "tainted/release/chart",
        &["no node takes it", "ghost (taint reserved=others)", "toleration"],
    );
    says(
        &run,
        "unbound/release/chart",
        &[
            "PersistentVolumeClaim scheduling/idle: no volume yet (class idle)",
            "kubectl describe pvc -n scheduling idle",
        ],
    );
    says(
        &run,
        "unclaimed/release/chart",
        &["PersistentVolumeClaim scheduling/nowhere: it is not there", "create the claim nowhere"],
    );

    for name in names {
        case.mend(name, &[&deployment(&container, "")]);
    }
    case.converges();
}
