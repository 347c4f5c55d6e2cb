//! `lock` and `lock update`: shows what is pinned, and moves it to what the catalogue has. Reads files and fetches charts;
//! no cluster is asked or changed.

use serde_json::json;

use super::learn::chart_key;
use super::pin::{Asked, base, chart_of, short, version};
use super::{Lock, Pin};
use crate::config::Project;
use crate::model::{ChartSource, Desired, Failure, FailureKind, Name, Redactor, ResourceId};
use crate::ops::{Ended, Settings, load, target, tools};
use crate::provider::local::{self, Local};
use crate::ui::Screen;
use crate::yaml::nearest;

/// One chart of a flavour, pinned or not.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    id: ResourceId,
    source: ChartSource,
    pinned: Option<String>,
    wanted: String,
}

impl Row {
    /// Whether the pin would move, and whether that is a jump that may break things.
    fn news(&self) -> &'static str {
        match &self.pinned {
            None => "new",
            Some(pinned) if *pinned == self.wanted => "",
            Some(pinned) if leading(pinned) != leading(&self.wanted) => "MAJOR JUMP",
            Some(_) => "moves",
        }
    }
}

/// Shows what is pinned, beside what the catalogue has.
pub async fn lock_list(settings: &Settings, screen: &Screen) -> Result<Ended, Failure> {
    let project = load::load(settings, screen)?;
    let lock = Lock::read(&project.lock_file)?;
    show(screen, &rows(&wanted(settings, &project, screen).await?, &lock, None)?);
    Ok(Ended::Well)
}

/// Moves the pins of all instances, or of one, to what the catalogue and the files say.
pub async fn lock_update(
    settings: &Settings,
    screen: &Screen,
    name: Option<&str>,
) -> Result<Ended, Failure> {
    let project = load::load(settings, screen)?;
    let mut lock = Lock::read(&project.lock_file)?;
    let desired = wanted(settings, &project, screen).await?;
    let rows = rows(&desired, &lock, name)?;
    let redactor = Redactor::default();
    project.secrets().for_each(|secret| redactor.learn(secret));
    let toolchain = tools::toolchain(settings, &redactor);
    // What is pinned does not count now: it is what is asked anew.
    let nothing = Lock::default();
    let helm = tools::helm(settings, screen, &toolchain, &project, &nothing, &redactor).await?;
    for row in &rows {
        screen.note(&format!("gets chart {} {}", short(&base(&row.source)), row.wanted));
        let chart = helm.chart(&row.source).await?;
        lock.move_pin(row, chart.digest);
    }
    lock.write(&project.lock_file)?;
    show(screen, &rows);
    let jumps: Vec<_> = rows.iter().filter(|row| row.news() == "MAJOR JUMP").collect();
    for row in &jumps {
        let from = row.pinned.as_deref().unwrap_or_default();
        screen.warn(&format!(
            "`{}` jumps from {from} to {}: read the chart's notes, and look at `datamill plan` before you apply",
            row.id, row.wanted
        ));
    }
    Ok(Ended::Well)
}

impl Lock {
    fn move_pin(&mut self, row: &Row, digest: crate::model::Digest) {
        let pin = Pin { chart: base(&row.source), version: row.wanted.clone() };
        let old = self.charts.insert(row.id.clone(), pin);
        if let Some(old) = old {
            let key = format!("{}@{}", old.chart, old.version);
            let in_use = self.charts.values().any(|p| format!("{}@{}", p.chart, p.version) == key);
            if !in_use {
                self.digests.remove(&key);
            }
        }
        if let Some(key) = chart_key(&row.source) {
            self.digests.insert(key, digest);
        }
    }
}

/// All that the catalogue and the files want, without pins, for the target as it is declared.
async fn wanted(
    settings: &Settings,
    project: &Project,
    screen: &Screen,
) -> Result<Desired, Failure> {
    let redactor = Redactor::default();
    let toolchain = tools::toolchain(settings, &redactor);
    let local = Local::new(tools::local_settings(settings, screen, &toolchain, &redactor));
    // Pins do not hang on the cluster: where none can be chosen, the usual facts do.
    let facts = match Box::pin(target::choose(project, &local)).await {
        Ok(choice) => target::declared(project, &choice.cluster),
        Err(_) => local::declared(),
    };
    match project.expand(&facts) {
        Ok(expansion) => Ok(expansion.desired),
        Err(problems) => {
            screen.show_problems(&problems);
            Err(load::refused(&problems))
        }
    }
}

fn rows(desired: &Desired, lock: &Lock, name: Option<&str>) -> Result<Vec<Row>, Failure> {
    let named = |id: &ResourceId| match name {
        Some(name) => id.instance_name().is_some_and(|instance| instance.as_str() == name),
        None => true,
    };
    if let Some(name) = name.filter(|_| !desired.resources.keys().any(named)) {
        let instances: Vec<&str> = desired
            .resources
            .keys()
            .filter_map(|id| id.instance_name().map(Name::as_str))
            .collect();
        let failure = Failure::new(FailureKind::Usage, format!("there is no component `{name}`"));
        return Err(match nearest(name, instances) {
            Some(near) => failure.hint(format!("did you mean `{near}`?")),
            None => failure,
        });
    }
    let row = |resource: &crate::model::Resource| {
        let source = chart_of(resource)?;
        let pin = lock.charts.get(&resource.id).filter(|pin| pin.chart == base(source));
        Some(Row {
            id: resource.id.clone(),
            wanted: version(source)?.to_owned(),
            source: source.clone(),
            pinned: pin.map(|pin| pin.version.clone()),
        })
    };
    Ok(desired.resources.values().filter(|r| named(&r.id)).filter_map(row).collect())
}

fn show(screen: &Screen, rows: &[Row]) {
    let document: Vec<_> = rows
        .iter()
        .map(|row| {
            json!({
                "id": row.id, "chart": base(&row.source), "pinned": row.pinned,
                "catalogue": row.wanted, "news": row.news().to_lowercase(),
            })
        })
        .collect();
    let cells: Vec<_> = rows
        .iter()
        .map(|row| {
            let pinned = row.pinned.clone().unwrap_or_else(|| "-".to_owned());
            let chart = short(&base(&row.source)).to_owned();
            vec![row.id.to_string(), chart, pinned, row.wanted.clone(), row.news().to_owned()]
        })
        .collect();
    let text = if cells.is_empty() {
        "no chart of this flavour comes from a repository: there is nothing to pin".to_owned()
    } else {
        screen.table(&["step", "chart", "pinned", "catalogue", ""], &cells)
    };
    screen.print_document("pins", &json!({ "charts": document }), &text);
}

/// What counts in a version: the first number, and the second while the first is 0.
fn leading(version: &str) -> (u64, u64) {
    let plain = version.trim_start_matches(|c: char| !c.is_ascii_digit());
    let mut numbers = plain.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u64>);
    let major = numbers.next().and_then(Result::ok).unwrap_or(0);
    let minor = numbers.next().and_then(Result::ok).unwrap_or(0);
    (major, if major == 0 { minor } else { 0 })
}

/// The versions that the user asked for in the files.
pub(in crate::ops) fn asked(project: &Project) -> Asked<'_> {
    let instances = project.platform.instances.iter();
    instances.filter_map(|i| Some((&i.name, i.version.as_deref()?))).collect()
}

#[cfg(test)]
mod tests {
    use super::super::pin::tests::desired;
    use super::*;
    use crate::model::Digest;

    #[test]
    fn a_moved_pin_takes_its_digest_along_and_a_major_jump_is_named() {
        let mut lock = Lock::default();
        lock.note_charts(desired("1.9.0").resources.values());
        lock.digests.insert("https://charts.example/kafka@1.9.0".to_owned(), Digest::of("old"));
        let moved = |to: &str| rows(&desired(to), &lock, Some("queue")).unwrap()[0].news();
        assert_eq!([moved("1.9.0"), moved("1.10.0"), moved("2.0.0")], ["", "moves", "MAJOR JUMP"]);
        let row = rows(&desired("2.0.0"), &lock, None).unwrap().remove(0);
        lock.move_pin(&row, Digest::of("new"));
        let keys: Vec<_> = lock.digests.keys().map(String::as_str).collect();
        assert_eq!(keys, ["https://charts.example/kafka@2.0.0"]);
        assert_eq!(lock.charts[&row.id].version, "2.0.0");
    }

    #[test]
    fn an_unknown_name_is_an_error_with_a_suggestion() {
        let failure = rows(&desired("1.0.0"), &Lock::default(), Some("quene")).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Usage);
        assert!(failure.hints[0].contains("`queue`"), "{failure:?}");
    }
}
