//! Images that do not come, and one that takes its time.

use super::*;
use crate::support::node::{Registry, Serve};

fn pulled(image: &str, more: &str) -> String {
    let text = answer("").replace(ANSWER, image);
    deployment(&text, "").replace("spec:\n  selector", &format!("spec:\n{more}  selector"))
}

#[test]
fn an_image_that_does_not_come_says_whether_it_is_missing_or_locked_away() {
    let Some(case) = Case::open("images", &["missing", "closed"]) else { return };
    let registry = Registry::start(case.cluster);
    let closed = registry.serve("locked", Image::answer().unwrap(), Serve::Unauthorised);
    let missing = registry.name("nobody");
    let stall = Duration::from_secs(20);
    case.chart("missing", stall, &[&pulled(&missing, "")]);
    case.chart("closed", stall, &[&pulled(&closed, "")]);
    let run = case.install();
    ends_with(&run, 7, &[]);
    let image = |image: &str| format!("image {image} cannot be pulled");
    let words = [
        "did not become ready",
        &image(&missing),
        "the registry does not have it",
        "correct its name or tag",
    ];
    says(&run, "missing/release/chart", &words);
    let words = [
        "did not become ready",
        &image(&closed),
        "the registry wants a login",
        "kubectl create secret docker-registry",
    ];
    says(&run, "closed/release/chart", &words);
    for name in ["missing", "closed"] {
        case.mend(name, &[&pulled(ANSWER, "")]);
    }
    case.converges();
}

#[test]
fn an_image_that_comes_slowly_is_waited_for_however_short_the_patience() {
    let Some(case) = Case::open("slowly", &["slow"]) else { return };
    let registry = Registry::start(case.cluster);
    // Other bytes than any image of the other tests: what is there is not pulled.
    let image = Image::answer().unwrap().heavier_by(3 << 20);
    let slow = registry.serve("heavy", image, Serve::Slowly(Duration::from_secs(3)));
    // The image takes 30 s, twice the patience; what comes before and after it does with the patience alone. Its controller
    // gives up counting before the image is there, too.
    let template = pulled(&slow, "  progressDeadlineSeconds: 7\n");
    case.chart("slow", Duration::from_secs(15), &[&template]);
    let run = case.install();
    ends_with(&run, 0, &[&format!("pulls image {slow}")]);
    let took = case.kubectl(&[
        "get",
        "events",
        "--field-selector=reason=Pulled",
        "-o",
        "jsonpath={.items[*].message}",
    ]);
    assert!(took.contains("Successfully pulled image"), "it was pulled: {took}");
    ends_with(&case.install(), 0, &["nothing to do"]);
}
