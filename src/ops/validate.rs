//! `validate`: all files, all wiring, and what charts that lie here say of their values. No cluster and no tool is asked.

use crate::adapter::helm::chart::{self, ChartContent};
use crate::catalogue::{Expansion, Instance};
use crate::config::{self, Project, Target};
use crate::model::{ChartSource, Failure, KubernetesSpec, ReleaseSpec, Resource};
use crate::ui::Screen;
use crate::yaml::{Located, Problem, Problems, Span};

use super::{Ended, Settings, load, target};

/// Checks all files and all wiring; reports every problem at once and touches nothing.
pub async fn validate(settings: &Settings, screen: &Screen) -> Result<Ended, Failure> {
    load::usable_cache(settings)?;
    let mut built = Ok(());
    let loaded = config::load(&settings.files, |project| {
        // A section that is wrong may name no provider at all.
        if matches!(project.target, Target::Local { .. }) {
            built = target::refuse_not_built(project);
        }
        target::declared_by_files(project)
    });
    let checked = loaded.and_then(|project| {
        built = target::refuse_not_built(&project);
        check(&project).map(|(expansion, problems)| (project, expansion, problems))
    });
    match checked {
        Ok((project, expansion, problems)) => {
            screen.show_problems(&problems);
            built?;
            screen.show_valid(&project.name, &project.flavour, expansion.desired.resources.len());
            Ok(Ended::Well)
        }
        Err(problems) => {
            screen.show_problems(&problems);
            let refused = load::refused(&problems);
            Err(match built {
                Ok(()) => refused,
                Err(not_built) => {
                    not_built.hints.into_iter().fold(refused.because(not_built.what), Failure::hint)
                }
            })
        }
    }
}

/// The wiring, the values, and what is worth a word; all problems when something is wrong.
fn check(project: &Project) -> Result<(Expansion, Problems), Problems> {
    let mut problems = project.warnings.clone();
    match project.expand(&target::declared_by_files(project)) {
        Ok(expansion) => {
            problems.append(expansion.warnings.clone());
            for resource in expansion.desired.resources.values() {
                values(project, resource, &mut problems);
            }
            problems.finish(|| expansion)
        }
        Err(found) => {
            problems.append(found);
            Err(problems)
        }
    }
}

/// What a chart's own schema says of the values of a release, where the chart lies here.
fn values(project: &Project, resource: &Resource, problems: &mut Problems) {
    let Some(KubernetesSpec::Release(spec)) = resource.kubernetes() else { return };
    let ReleaseSpec { chart: ChartSource::Folder(folder), values, .. } = spec else { return };
    // What cannot be read is said by those who need it.
    let Ok(content) = ChartContent::read(folder) else { return };
    let instances = project.platform.instances.iter();
    let instance = instances.into_iter().find(|one| resource.id.instance_name() == Some(&one.name));
    for misfit in chart::misfits(&content, values) {
        let name = instance.map_or_else(|| resource.id.to_string(), |one| one.name.to_string());
        let at = if misfit.path.is_empty() {
            String::new()
        } else {
            format!("`{}`: ", misfit.path.join("."))
        };
        let message = format!("values of `{name}`: {at}{}", misfit.says);
        let place = instance.and_then(|instance| place(instance, &misfit.path));
        let problem = Problem::error("chart-values", message).or_at(place);
        problems.push(match misfit.near {
            Some(near) => problem.help(format!("did you mean `{near}`?")),
            None => problem,
        });
    }
}

/// Where a value is written: the nearest place that a file of the user has for it.
fn place<'a>(instance: &'a Instance, path: &[String]) -> Option<&'a Span> {
    let layers: Vec<_> = [&instance.values, &instance.values_file].into_iter().flatten().collect();
    // What is missing is written nowhere, but what it is missing in may be.
    let nearest = (1..=path.len()).rev().filter_map(|length| path.get(..length));
    let place = |path: &[String]| layers.iter().find_map(|tree| within(tree, path));
    nearest.into_iter().find_map(place).or(instance.section.as_ref())
}

fn within<'a>(tree: &'a Located, path: &[String]) -> Option<&'a Span> {
    let mut tree = tree;
    for key in path {
        tree = match key.parse::<usize>() {
            Ok(number) if !tree.items().is_empty() => tree.items().get(number)?,
            Ok(_) | Err(_) => tree.get(key)?,
        };
    }
    Some(&tree.span)
}
