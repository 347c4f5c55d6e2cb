//! What is planned in the situations of a platform's life.

use std::collections::BTreeSet;

use datamill::model::{
    Applied, Class, Desired, Digest, FailureKind, Found, Owner, Snapshot, Value, label_value,
};
use datamill::plan::{
    self, Action, Block, Origin, Permits, PlanError, Purpose, Request, Selection, Shown, text,
};

use crate::support::lab::{CLUSTER, Lab, expect_all_went_well, id, verb};

fn step<'a>(plan: &'a plan::Plan, name: &str) -> &'a plan::Step {
    plan.steps.iter().find(|step| step.id == id(name)).unwrap_or_else(|| panic!("{name}"))
}

async fn applied() -> Lab {
    let mut lab = Lab::new();
    lab.instance("base", "one", &[]);
    lab.instance("app", "one", &["base"]);
    expect_all_went_well(&lab.apply().await);
    lab
}

#[tokio::test(start_paused = true)]
async fn a_plan_before_the_cluster_exists_shows_every_object() {
    let mut lab = Lab::new();
    lab.instance("app", "one", &[]);
    let plan = lab.plan().await;
    insta::assert_snapshot!(text(&plan, 80), @r"
    Plan: 6 to create

    Will be created (6):
      + target/cluster/lab
      + target/installation/lab
          ConfigMap lab-0
      + target/namespace/lab
          ConfigMap lab-0
      + app/claim/data
          ConfigMap data-0
      + app/objects/main
          ConfigMap main-0, main-1
      + app/objects/more
          ConfigMap more-0
    ");
}

#[tokio::test(start_paused = true)]
async fn an_edited_value_is_named_and_only_that_changes() {
    let mut lab = applied().await;
    lab.instance("app", "two", &["base"]);
    let plan = lab.plan().await;
    assert_eq!(plan.counts()["update"], 1);
    let change = &step(&plan, "app/objects/main").changes[0];
    assert_eq!((change.path.as_str(), change.origin), ("/data/value", Origin::You));
    assert_eq!(change.to, Shown::Text("two".to_owned()));
    insta::assert_snapshot!(text(&plan, 80), @r"
    Plan: 1 to change, 8 unchanged

    Will change (1):
      ~ app/objects/main
          ConfigMap main-0
            /data/value: one -> two (by you)

    Unchanged: 8
    ");
}

#[tokio::test(start_paused = true)]
async fn an_object_deleted_by_hand_is_repaired() {
    let lab = applied().await;
    lab.world.meddle("app/objects/main", |thing| {
        thing.objects.pop_first();
    });
    lab.world.meddle("base/objects/more", |thing| {
        thing.objects.get_mut("more-0").unwrap().0["data"]["value"] = "by hand".into();
    });
    let plan = lab.plan().await;
    insta::assert_snapshot!(text(&plan, 80), @r"
    Plan: 2 to repair, 7 unchanged

    Will be repaired (2):
      ^ base/objects/more
          ConfigMap more-0
            /data/value: by hand -> more (by somebody)
      ^ app/objects/main
          new: ConfigMap main-0

    Unchanged: 7
    ");
    assert_eq!(step(&plan, "base/objects/more").changes[0].origin, Origin::Somebody);
    lab.world.calls();
    expect_all_went_well(&lab.apply().await);
    assert_eq!(lab.world.calls(), ["repair base/objects/more", "repair app/objects/main"]);
    lab.expect_nothing_to_do().await;
}

#[tokio::test(start_paused = true)]
async fn each_change_has_its_own_origin_and_a_lost_memory_costs_only_words() {
    let mut lab = applied().await;
    lab.drop_instance("app");
    lab.instance("app", "two", &["base"]);
    lab.world.meddle("app/objects/main", |thing| {
        thing.objects.get_mut("main-1").unwrap().0["data"]["value"] = "by hand".into();
    });
    let origins = |plan: &plan::Plan| {
        let changes = step(plan, "app/objects/main").changes.iter();
        changes.map(|change| change.origin).collect::<Vec<_>>()
    };
    let plan = lab.plan().await;
    assert_eq!(origins(&plan), [Origin::You, Origin::Somebody]);
    lab.world.meddle("app/objects/main", |thing| {
        thing.objects.get_mut("main-0").unwrap().0["data"]["value"] = "by hand".into();
    });
    assert_eq!(origins(&lab.plan().await), [Origin::Both, Origin::Somebody]);

    lab.world.state().things.values_mut().for_each(|thing| thing.remembered = None);
    let lost = lab.plan().await;
    assert_eq!(origins(&lost), [Origin::Unknown, Origin::Unknown]);
    let decided = |plan: &plan::Plan| {
        let steps = plan.steps.iter();
        steps.map(|step| (step.id.clone(), step.action.clone())).collect::<Vec<_>>()
    };
    assert_eq!(decided(&lost), decided(&plan));
    expect_all_went_well(&lab.apply().await);
    lab.expect_nothing_to_do().await;
}

#[tokio::test(start_paused = true)]
async fn what_left_the_file_goes_and_its_data_is_kept() {
    let mut lab = applied().await;
    lab.drop_instance("app");
    let plan = lab.plan().await;
    insta::assert_snapshot!(text(&plan, 80), @r"
    Plan: 2 to destroy, 1 kept, 6 unchanged

    Will be destroyed (2):
      - app/objects/more
      - app/objects/main

    Kept (1):
      = app/claim/data  it holds data

    Unchanged: 6
    ");
    assert_eq!(verb(&plan, "app/claim/data"), "retain");
    assert_eq!(verb(&plan, "base/objects/main"), "keep");
}

#[tokio::test(start_paused = true)]
async fn data_keeps_what_it_needs() {
    let mut lab = applied().await;
    let spec = lab.desired.resources[&id("app/objects/main")].spec.clone();
    lab.add("topic/objects/main", spec, &["base/health/installed"]).class = Class::Data;
    lab.apply().await;
    lab.drop_instance("topic");
    lab.drop_instance("app");
    lab.drop_instance("base");
    let plan = lab.plan().await;
    assert_eq!(verb(&plan, "topic/objects/main"), "retain");
    assert_eq!(verb(&plan, "base/objects/more"), "retain", "its operator stays");
    assert_eq!(verb(&plan, "app/objects/main"), "delete");
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_others_need_is_refused_unless_they_go_too() {
    let mut lab = applied().await;
    let whole = lab.desired.clone();
    lab.drop_instance("base");
    lab.selection = Selection::Instances(BTreeSet::from([Lab::name("base")]));
    let plan = lab.plan().await;
    let Action::Blocked { by: Block::Needed { by } } = &step(&plan, "base/objects/main").action
    else {
        panic!("{}", text(&plan, 80))
    };
    assert_eq!(*by, BTreeSet::from([id("app/objects/main")]));
    assert_eq!(plan.blocked(), Some(FailureKind::Protected));

    lab.permits.cascade = true;
    let plan = lab.plan().await;
    assert_eq!(plan.blocked(), None, "{}", text(&plan, 80));
    assert_eq!(verb(&plan, "app/objects/main"), "delete");
    expect_all_went_well(&lab.execute(&plan).await);
    lab.desired = whole;
    lab.selection = Selection::All;
    expect_all_went_well(&lab.apply().await);
}

#[tokio::test(start_paused = true)]
async fn a_part_of_an_instance_that_stays_goes_though_others_need_that_instance() {
    let mut lab = applied().await;
    lab.permits.include_data = true;
    let (desired, mut snapshot) = lab.look().await;
    let left = id("base/claim/old/data");
    let bears = Some(id("base/claim/data"));
    let applied = Some(Applied { inputs: Digest::of("x"), run: None });
    let found = Found { bears, applied, class: Class::Data, ..Found::ours() };
    snapshot.discovered.found.insert(left.clone(), found);
    let drawn = |snapshot: &Snapshot| {
        let (selection, permits) = (&lab.selection, &lab.permits);
        let purpose = Purpose::Apply;
        let request = Request { desired: &desired, snapshot, purpose, selection, permits };
        plan::plan(&request).unwrap()
    };
    let plan = drawn(&snapshot);
    assert_eq!(verb(&plan, "base/claim/old/data"), "delete", "{}", text(&plan, 80));
    assert_eq!(verb(&plan, "base/claim/data"), "keep");
    assert_eq!(plan.blocked(), None);

    // What may use this very part holds it.
    let user = Found { needs: BTreeSet::from([left]), extra: true, ..Found::ours() };
    snapshot.discovered.found.insert(id("guest/objects/main"), user);
    let plan = drawn(&snapshot);
    assert_eq!(plan.blocked(), Some(FailureKind::Protected), "{}", text(&plan, 80));
}

#[tokio::test(start_paused = true)]
async fn one_instance_is_planned_alone_and_its_needs_are_checked() {
    let mut lab = Lab::new();
    lab.instance("base", "one", &[]);
    lab.instance("app", "one", &["base"]);
    lab.instance("other", "one", &[]);
    lab.selection = Selection::Instances(BTreeSet::from([Lab::name("app")]));
    let plan = lab.plan().await;
    assert_eq!(verb(&plan, "target/cluster/lab"), "create");
    assert_eq!(verb(&plan, "other/objects/main"), "nothing");
    assert_eq!(plan.blocked(), Some(FailureKind::Usage), "{}", text(&plan, 80));

    lab.selection = Selection::Instances(BTreeSet::from([Lab::name("base")]));
    expect_all_went_well(&lab.apply().await);
    lab.selection = Selection::Instances(BTreeSet::from([Lab::name("app")]));
    lab.instance("base", "edited", &[]);
    let plan = lab.plan().await;
    assert_eq!(verb(&plan, "base/objects/main"), "keep", "it is not what this run is about");
    expect_all_went_well(&lab.execute(&plan).await);
}

#[tokio::test(start_paused = true)]
async fn other_flavours_and_extras_are_left_alone_and_hold_the_cluster() {
    let mut lab = applied().await;
    for name in ["app/objects/main", "app/objects/more", "app/claim/data"] {
        lab.world.meddle(name, |thing| thing.flavour = Some("second".to_owned()));
    }
    lab.drop_instance("app");
    lab.expect_nothing_to_do().await;
    let (plan, _) = lab.destroy().await;
    assert_eq!(verb(&plan, "app/objects/main"), "nothing");
    let Action::Retain { why } = &step(&plan, "target/cluster/lab").action else { panic!() };
    assert_eq!(why, "flavour second lives in it");

    let mut lab = applied().await;
    lab.world.meddle("app/objects/main", |thing| thing.extra = true);
    lab.world.meddle("app/objects/more", |thing| thing.extra = true);
    lab.drop_instance("app");
    let plan = lab.plan().await;
    assert!(!plan.has_changes(), "{}", text(&plan, 80));
    assert!(
        plan.notes[0].contains("`datamill uninstall -c app` takes it away"),
        "{:?}",
        plan.notes
    );
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_looked_at_is_not_absent() {
    let mut lab = applied().await;
    lab.world.unreachable("target/cluster/lab");
    let plan = lab.plan().await;
    assert_eq!(plan.blocked(), Some(FailureKind::Preflight));
    assert!(!plan.has_changes(), "{}", text(&plan, 80));
    lab.desired.resources.remove(&id("target/installation/lab"));
    assert!(
        lab.plan()
            .await
            .steps
            .iter()
            .all(|s| s.action != Action::Delete
                || s.id.kind != datamill::model::ResourceKind::Cluster)
    );
}

#[tokio::test(start_paused = true)]
async fn an_immutable_field_makes_stateless_things_anew_and_blocks_for_data() {
    let mut lab = applied().await;
    lab.instance("app", "two", &["base"]);
    lab.world.rejects("app/objects/main", "spec.selector: Invalid value: field is immutable");
    let plan = lab.plan().await;
    let Action::Blocked { by: Block::Unapproved { allow, .. } } =
        &step(&plan, "app/objects/main").action
    else {
        panic!("{}", text(&plan, 80))
    };
    // Each object has to be allowed by its name.
    lab.permits.allowed = allow.iter().take(1).cloned().collect();
    assert_eq!(lab.plan().await.blocked(), Some(FailureKind::Protected));
    lab.permits.allowed.clone_from(allow);
    let plan = lab.plan().await;
    assert_eq!(verb(&plan, "app/objects/main"), "replace");
    insta::assert_snapshot!(text(&plan, 80), @r"
    Plan: 1 to make anew, 8 unchanged

    Will be made anew (1):
      ± app/objects/main
          made anew: ConfigMap main-0, main-1
          note: ConfigMap lab/main-0: spec.selector: Invalid value: field is
                immutable
          note: ConfigMap lab/main-1: spec.selector: Invalid value: field is
                immutable

    Unchanged: 8
    ");
    lab.world.rejects("app/claim/data", "spec is immutable after creation");
    assert_eq!(lab.plan().await.blocked(), Some(FailureKind::Preflight));
    lab.world.rejects("app/objects/main", "denied by policy");
    let plan = lab.plan().await;
    let Action::Blocked { by } = &step(&plan, "app/objects/main").action else { panic!() };
    assert_eq!(by.says(), "the cluster refuses ConfigMap lab/main-0: denied by policy");
}

#[tokio::test(start_paused = true)]
async fn a_cloud_thing_that_cannot_change_in_place() {
    let mut lab = Lab::new();
    let region = |name: &'static str| ("region", Value::text(name));
    lab.cloud("target/network/main", &[region("a")], &[]);
    lab.cloud("target/bucket/lake", &[region("a")], &[]).class = Class::Data;
    lab.apply().await;
    lab.cloud("target/network/main", &[region("b")], &[]);
    let plan = lab.plan().await;
    assert_eq!(verb(&plan, "target/network/main"), "replace");
    expect_all_went_well(
        &lab.execute(&{
            lab.world.revive();
            plan
        })
        .await,
    );
    lab.cloud("target/bucket/lake", &[region("b")], &[]).class = Class::Data;
    assert_eq!(lab.plan().await.blocked(), Some(FailureKind::Protected));
    lab.permits.include_data = true;
    let plan = lab.plan().await;
    assert!(text(&plan, 80).contains("DATA IS LOST"), "{}", text(&plan, 80));
}

#[tokio::test(start_paused = true)]
async fn production_protects_and_a_stranger_in_a_namespace_keeps_it() {
    let mut lab = applied().await;
    lab.permits.production = true;
    let (plan, _) = lab.destroy().await;
    assert_eq!(plan.blocked(), Some(FailureKind::Protected));
    assert!(lab.world.ids().contains(&id("target/cluster/lab")));

    let mut lab = applied().await;
    lab.permits.include_data = true;
    let stranger = datamill::model::ObjectRef {
        api_version: "apps/v1".to_owned(),
        kind: "Deployment".to_owned(),
        namespace: Some("lab".to_owned()),
        name: "theirs".to_owned(),
    };
    lab.world.meddle("target/namespace/lab", |thing| thing.foreign = vec![stranger]);
    lab.drop_instance("app");
    lab.drop_instance("base");
    lab.desired.resources.remove(&id("target/namespace/lab"));
    let plan = lab.plan().await;
    let Action::Retain { why } = &step(&plan, "target/namespace/lab").action else { panic!() };
    assert_eq!(why, "not ours in it: Deployment lab/theirs");
}

#[tokio::test(start_paused = true)]
async fn what_holds_an_object_of_another_owner_does_not_go_by_itself_and_goes_with_the_whole_cluster()
 {
    for name in ["app/objects/main", "app/release/main"] {
        let mut lab = Lab::new();
        lab.chart_instance("app", "one", &[]);
        expect_all_went_well(&lab.apply().await);
        let theirs = datamill::model::ObjectRef {
            api_version: "v1".to_owned(),
            kind: "Service".to_owned(),
            namespace: Some("lab".to_owned()),
            name: "theirs".to_owned(),
        };
        lab.world.meddle(name, |thing| thing.foreign = vec![theirs]);
        let all = lab.desired.clone();
        lab.drop_instance("app");
        let plan = lab.plan().await;
        assert_eq!(plan.blocked(), Some(FailureKind::Foreign), "{}", text(&plan, 80));
        let Action::Blocked { by } = &step(&plan, name).action else { panic!("{name}") };
        assert_eq!(by.says(), "Service lab/theirs belongs to another owner, by the mark on it");
        // Where all of the cluster goes, it goes with it.
        lab.desired = all;
        lab.permits.include_data = true;
        let (plan, report) = lab.destroy().await;
        assert_eq!((plan.blocked(), report.failure_kind()), (None, None), "{}", text(&plan, 80));
        assert_eq!(lab.world.ids(), BTreeSet::new());
    }
}

#[tokio::test(start_paused = true)]
async fn a_cluster_in_which_another_project_lives_stays_unless_all_goes() {
    let mut lab = Lab::simulated();
    lab.instance("app", "one", &[]);
    expect_all_went_well(&lab.apply().await);
    lab.desired = Desired::default();
    let (desired, mut snapshot) = lab.look().await;
    snapshot.discovered.neighbours = vec!["project `hyb` with flavour `big`".to_owned()];
    let drawn = |permits: &Permits| {
        let (selection, purpose) = (&Selection::All, Purpose::Removal);
        let request =
            Request { desired: &desired, snapshot: &snapshot, purpose, selection, permits };
        plan::plan(&request).unwrap()
    };
    let stays = drawn(&lab.permits);
    let Action::Retain { why } = &step(&stays, CLUSTER).action else {
        panic!("{}", text(&stays, 80))
    };
    assert_eq!(why, "project `hyb` with flavour `big` lives in it; `--all-flavours` takes all");
    assert_eq!(verb(&stays, "app/objects/main"), "delete");
    let all = Permits { flavour: None, ..lab.permits.clone() };
    assert_eq!(verb(&drawn(&all), CLUSTER), "delete");
}

#[tokio::test(start_paused = true)]
async fn a_circle_and_a_missing_need_are_errors() {
    let mut lab = Lab::new();
    lab.objects("a/objects/x", &[], &["b/objects/x"]);
    lab.objects("b/objects/x", &[], &["a/objects/x"]);
    assert!(matches!(lab.try_plan().await, Err(PlanError::Cycle { .. })));
    let mut lab = Lab::new();
    lab.objects("a/objects/x", &[], &["b/objects/x"]);
    let missing = id("b/objects/x");
    assert_eq!(
        lab.try_plan().await,
        Err(PlanError::MissingNeed { id: id("a/objects/x"), missing })
    );
}

#[tokio::test(start_paused = true)]
async fn what_another_flavour_holds_says_how_to_take_it_over() {
    let lab = applied().await;
    lab.world.meddle("app/objects/main", |thing| {
        thing.owner = Owner::Other("flavour `second`".to_owned());
        thing.flavour = Some("second".to_owned());
    });
    let plan = lab.plan().await;
    assert!(text(&plan, 80).contains("`datamill adopt app --from second`"), "{}", text(&plan, 80));
    assert_eq!(plan.blocked(), Some(FailureKind::Foreign));
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_another_flavour_holds_elsewhere_is_not_made_twice() {
    let mut lab = applied().await;
    for name in ["app/objects/main", "app/objects/more", "app/claim/data"] {
        lab.world.meddle(name, |thing| thing.flavour = Some("second".to_owned()));
    }
    // In another namespace none of its objects would be in the way: only the marks tell.
    lab.objects("app/objects/other", &[], &[]);
    let plan = lab.plan().await;
    let Action::Blocked { by } = &step(&plan, "app/objects/other").action else {
        panic!("{}", text(&plan, 80))
    };
    assert!(matches!(by, Block::Foreign { owner, .. } if owner == "flavour second"), "{by:?}");
    assert!(text(&plan, 80).contains("`datamill adopt app --from second`"), "{}", text(&plan, 80));
    assert_eq!(plan.blocked(), Some(FailureKind::Foreign));
}

#[tokio::test(start_paused = true)]
async fn a_flavour_whose_name_is_no_label_knows_its_own_things() {
    let mut lab = applied().await;
    lab.permits.flavour = Some("my lab (new)".to_owned());
    for name in ["base/objects/main", "app/objects/main", "app/objects/more"] {
        let mark = label_value("my lab (new)");
        lab.world.meddle(name, |thing| thing.flavour = Some(mark));
    }
    lab.drop_instance("app");
    let plan = lab.plan().await;
    assert_eq!(verb(&plan, "app/objects/main"), "delete", "{}", text(&plan, 80));
}
