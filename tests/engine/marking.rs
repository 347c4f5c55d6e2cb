//! Taking over, letting go and protecting, in the fake world: what a run of marks alone leads to in the runs after it.

use std::collections::BTreeSet;

use datamill::model::{
    Adopts, Census, Discovery, FailureKind, Owner, Protection, ResourceId, RunId,
};
use datamill::plan::{self, Action, Block, Plan, Taken, text};

use super::laws::paused;
use crate::support::lab::{CLUSTER, Lab, expect_all_went_well, id};
use crate::support::world::Fault;

fn ids(all: &[&str]) -> BTreeSet<ResourceId> {
    all.iter().map(|text| id(text)).collect()
}

async fn installed(names: &[(&str, &[&str])]) -> Lab {
    let mut lab = Lab::new();
    for (name, uses) in names {
        lab.chart_instance(name, "0", uses);
    }
    expect_all_went_well(&lab.apply().await);
    lab
}

async fn there(lab: &Lab) -> Discovery {
    lab.look().await.1.discovered
}

fn action<'p>(plan: &'p Plan, name: &str) -> &'p Action {
    let step = plan.steps.iter().find(|step| step.id == id(name));
    &step.unwrap_or_else(|| panic!("{name} is not in\n{}", text(plan, 80))).action
}

/// The plan of `adopt`: seen as it is, and as if it were ours.
async fn adoption(lab: &mut Lab, of: &[&str]) -> Plan {
    let (_, truth) = lab.look().await;
    lab.adopts = Adopts { ids: ids(of), ..Adopts::default() };
    let (_, seen) = lab.look().await;
    let later = lab.plan().await;
    let ids = ids(of);
    plan::adopt(Taken { ids: &ids, from: None, truth: &truth, seen: &seen, plan: &later })
}

const MAIN: &str = "app/objects/main";

/// An instance of which one part was made by somebody else before.
async fn with_stranger() -> Lab {
    let mut lab = installed(&[]).await;
    lab.chart_instance("app", "0", &[]);
    let owner = Owner::Unmarked { manager: Some("kubectl".to_owned()), suitable: false };
    lab.world.holds_foreign(MAIN, owner);
    lab.world.meddle(MAIN, |thing| thing.flavour = None);
    lab
}

#[test]
fn what_nobody_marked_is_taken_over_by_marks_alone_and_changed_by_the_next_apply() {
    for fault in [None, Some(Fault::Kill)] {
        paused(async {
            let mut lab = with_stranger().await;
            let blocked = lab.plan().await;
            assert!(matches!(
                action(&blocked, MAIN),
                Action::Blocked { by: Block::Foreign { .. } }
            ));
            let says = text(&blocked, 80).split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(says.contains("belongs to kubectl"), "{says}");

            let before = lab.world.state().things[&id(MAIN)].clone();
            let plan = adoption(&mut lab, &[MAIN]).await;
            assert_eq!(action(&plan, MAIN), &Action::Adopt);
            plan::check(&plan, plan::Purpose::Apply).unwrap();
            lab.world.revive();
            if let Some(fault) = fault {
                lab.world.fault_at(0, fault);
                lab.execute(&plan).await;
                lab.world.revive();
                assert_eq!(lab.world.state().things[&id(MAIN)], before, "killed before the write");
                lab.adopts = Adopts::default();
                drop(adoption(&mut lab, &[MAIN]).await);
            }
            expect_all_went_well(&lab.execute(&plan).await);
            let after = lab.world.state().things[&id(MAIN)].clone();
            assert_eq!((after.uid, &after.objects), (before.uid, &before.objects), "marks alone");
            assert_eq!(after.owner, Owner::Ours);

            lab.adopts = Adopts::default();
            let again = adoption(&mut lab, &[MAIN]).await;
            assert_eq!(again.steps, [], "it is ours: nothing to take over");
            lab.adopts = Adopts::default();
            expect_all_went_well(&lab.apply().await);
            lab.expect_nothing_to_do().await;
        });
    }
}

#[test]
fn what_belongs_to_another_installation_is_not_taken_over() {
    paused(async {
        let mut lab = with_stranger().await;
        let other = Owner::Other("project x, installation y".to_owned());
        lab.world.meddle(MAIN, |thing| thing.owner = other.clone());
        let plan = adoption(&mut lab, &[MAIN]).await;
        let Action::Blocked { by } = action(&plan, MAIN) else { panic!("{}", text(&plan, 80)) };
        assert_eq!(by.kind().exit_code(), 11);
        lab.world.revive();
        lab.execute(&plan).await;
        assert_eq!(lab.world.state().things[&id(MAIN)].owner, other);
        assert_eq!(lab.world.state().violations, Vec::<String>::new());
    });
}

#[test]
fn what_was_let_go_of_stays_whatever_is_destroyed() {
    paused(async {
        let mut lab = installed(&[("base", &[]), ("app", &["base"])]).await;
        let there = there(&lab).await;
        let of = |name: &str| -> BTreeSet<ResourceId> {
            let own = there.found.keys().filter(|id| id.to_string().starts_with(name));
            own.cloned().collect()
        };
        let refused = plan::orphan(&there, &of("base/"));
        assert_eq!(refused.blocked().map(FailureKind::exit_code), Some(9), "app needs it");
        let app = of("app/");
        let plan = plan::orphan(&there, &app);
        assert_eq!(plan.blocked(), None, "{}", text(&plan, 80));
        plan::check(&plan, plan::Purpose::Apply).unwrap();
        lab.world.revive();
        lab.world.fault_at(2, Fault::Kill);
        lab.execute(&plan).await;
        lab.world.revive();
        let rest = self::there(&lab).await;
        let left: BTreeSet<_> =
            app.iter().filter(|id| rest.found.contains_key(*id)).cloned().collect();
        assert!(!left.is_empty() && left.len() < app.len(), "killed on its way");
        expect_all_went_well(&lab.execute(&plan::orphan(&rest, &left)).await);

        let shape = lab.world.shape();
        lab.permits.include_data = true;
        lab.drop_instance("app");
        // A host does not go from under what is not ours; here only what was ours does.
        lab.drop_instance("base");
        expect_all_went_well(&lab.apply().await);
        let after = lab.world.shape();
        for id in &app {
            assert_eq!(after.get(id), shape.get(id), "{id} stays as it was");
        }
        assert!(after.keys().all(|id| !id.to_string().starts_with("base/")));
    });
}

fn said(on: bool) -> Protection {
    Protection {
        on,
        by: "ann@laptop".to_owned(),
        at: "2026-01-31 12:30:45 UTC".to_owned(),
        run: RunId("earlier".to_owned()),
    }
}

async fn say(lab: &Lab, name: &str, on: bool) {
    let plan = plan::protect(&there(lab).await, &ids(&[name]), &said(on));
    plan::check(&plan, plan::Purpose::Apply).unwrap();
    lab.world.revive();
    expect_all_went_well(&lab.execute(&plan).await);
}

#[test]
fn what_was_protected_neither_leaves_the_file_nor_goes_with_its_cluster_until_that_is_lifted() {
    for simulated in [false, true] {
        paused(async {
            let mut lab = if simulated { Lab::simulated() } else { Lab::new() };
            lab.chart_instance("app", "0", &[]);
            expect_all_went_well(&lab.apply().await);
            say(&lab, "app/release/main", true).await;
            let desired = lab.desired.clone();

            lab.drop_instance("app");
            let plan = lab.plan().await;
            assert_eq!(plan.blocked().map(FailureKind::exit_code), Some(9), "{}", text(&plan, 80));
            let Action::Blocked { by } = action(&plan, "app/release/main") else { panic!() };
            assert!(by.says().contains("ann@laptop on 2026-01-31"), "{}", by.says());

            lab.permits.include_data = true;
            lab.desired.resources.clear();
            let plan = lab.plan().await;
            let Action::Blocked { by } = action(&plan, CLUSTER) else {
                panic!("{}", text(&plan, 80))
            };
            assert!(by.says().contains("`app/release/main` in it"), "{}", by.says());

            lab.desired = desired;
            say(&lab, "app/release/main", false).await;
            let (_, report) = lab.destroy().await;
            assert_eq!(report.failure_kind(), None, "{:?}", report.outcomes);
            assert_eq!(lab.world.ids(), BTreeSet::new());
        });
    }
}

#[test]
fn what_was_protected_is_not_made_anew() {
    paused(async {
        let mut lab = Lab::new();
        lab.storage("a");
        expect_all_went_well(&lab.apply().await);
        say(&lab, "target/network/main", true).await;
        lab.desired.resources.retain(|id, _| id.kind.word() != "mount-target");
        expect_all_went_well(&lab.apply().await);
        lab.desired = Lab::new().desired;
        let region = ("region", datamill::model::Value::text("elsewhere"));
        lab.cloud("target/network/main", &[region], &[]);
        let plan = lab.plan().await;
        let Action::Blocked { by } = action(&plan, "target/network/main") else {
            panic!("{}", text(&plan, 80))
        };
        assert_eq!(by.kind().exit_code(), 9);
        assert!(by.says().contains("was protected by ann@laptop"), "{}", by.says());
    });
}

#[test]
fn production_lets_data_go_only_when_that_was_lifted_in_an_earlier_run() {
    paused(async {
        let mut lab = installed(&[("app", &[])]).await;
        lab.permits.production = true;
        lab.permits.include_data = true;
        let desired = std::mem::take(&mut lab.desired);
        let plan = lab.plan().await;
        assert!(matches!(
            action(&plan, "app/claim/data"),
            Action::Blocked { by: Block::Protected { .. } }
        ));
        assert!(matches!(action(&plan, CLUSTER), Action::Blocked { by: Block::Protected { .. } }));
        lab.desired = desired;
        say(&lab, "app/claim/data", false).await;
        say(&lab, CLUSTER, false).await;
        let (_, report) = lab.destroy().await;
        assert_eq!(report.failure_kind(), None, "{:?}", report.outcomes);
        assert_eq!(lab.world.ids(), BTreeSet::new());
    });
}

#[test]
fn what_goes_and_what_is_kept_says_how_much_data_is_in_it() {
    paused(async {
        let mut lab = Lab::new();
        lab.storage("a");
        expect_all_went_well(&lab.apply().await);
        lab.world.meddle("target/bucket/lake", |bucket| {
            bucket.census = Some(Ok(Census {
                objects: Some(1204),
                bytes: Some(5 << 30),
                last_write: Some("2026-01-31".to_owned()),
                ..Census::default()
            }));
        });
        lab.world.meddle("target/file-system/shared", |shared| {
            shared.census = Some(Err("access denied".to_owned()));
        });
        lab.desired.resources.clear();
        let says = |plan: &Plan| text(plan, 80).split_whitespace().collect::<Vec<_>>().join(" ");
        let kept = says(&lab.plan().await);
        let much = "1204 objects, 5.0 GiB, last written 2026-01-31";
        assert!(kept.contains(&format!("it holds data ({much})")), "{kept}");
        assert!(kept.contains("how much is not known: access denied"), "{kept}");
        lab.permits.include_data = true;
        let lost = says(&lab.plan().await);
        assert!(lost.contains(&format!("DATA IS LOST ({much})")), "{lost}");
        assert!(lost.contains("DATA IS LOST (how much is not known"), "{lost}");
    });
}
