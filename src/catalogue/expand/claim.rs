//! Claims of an instance: volumes of its own, and what a provider grants.

use super::{Site, Yard};
use crate::catalogue::grant::{self, Asking};
use crate::catalogue::param::{is_above_zero, is_quantity};
use crate::catalogue::rule::{self, ClaimKind, ClaimWish};
use crate::catalogue::scope::{Found, Miss, Scope};
use crate::catalogue::wiring::Binding;
use crate::catalogue::world::{World, plain};
use crate::model::{ClaimSpec, Credential, KubernetesSpec, LoginPart, Name, ResourceKind, Value};
use crate::yaml::{Entry, Located, Node, Problem, Problems};

impl<'w, 'a> Site<'_, '_, 'w, 'a> {
    /// Makes a volume claim.
    pub(super) fn volume(&mut self, wish: &ClaimWish) {
        if !self.scope.holds(wish.when.as_ref(), &mut self.yard.problems) {
            return;
        }
        let ClaimKind::Volume { size, storage_class, access_modes, labels } = &wish.want else {
            return;
        };
        let place = self.scope.claim_place(wish, &mut self.yard.problems);
        let (Some((namespace, name)), Some(size)) = (place, size) else { return };
        let Some(size) = self.quantity(size) else { return };
        let problems = &mut self.yard.problems;
        let storage_class = storage_class
            .as_ref()
            .and_then(|tree| self.scope.text(tree, problems))
            .filter(|class| !class.is_empty());
        let mut modes: Vec<String> =
            access_modes.iter().filter_map(|tree| self.scope.text(tree, problems)).collect();
        if modes.is_empty() {
            modes.push("ReadWriteOnce".to_owned());
        }
        let labels = self.labels(labels.as_ref());
        let host = self.yard.namespace(&namespace);
        let spec = ClaimSpec { namespace, name, size, storage_class, access_modes: modes, labels };
        let mut resource =
            self.resource(ResourceKind::Claim, &wish.id, KubernetesSpec::Claim(spec));
        resource.host = Some(host.clone());
        resource.needs = [host].into();
        resource.class = self.claim_class();
        self.ground.insert(resource.id.clone());
        self.add(resource);
    }

    fn quantity(&mut self, tree: &Located) -> Option<String> {
        let text = self.scope.text(tree, &mut self.yard.problems)?;
        if is_quantity(&text) && is_above_zero(&text) {
            return Some(text);
        }
        let message = format!("`{text}` is no size such as `10Gi`");
        self.yard.problems.push(Problem::error("wrong-value", message).at(&tree.span));
        None
    }

    /// Makes what grants a claim: resources of the instance that asks, in the order of the grant, before its own steps.
    pub(super) fn grant(&mut self, wish: &'w ClaimWish) {
        if !self.scope.holds(wish.when.as_ref(), &mut self.yard.problems) {
            return;
        }
        let scope = match self.scope.granted(wish, &mut self.yard.problems) {
            Ok(scope) => scope,
            Err(Miss::Absent { .. }) => return,
            Err(miss) => {
                miss.report(&format!("claim.{}", wish.id), &wish.at, &mut self.yard.problems);
                return;
            }
        };
        self.make(scope);
    }

    fn make(&mut self, scope: Scope<'w, 'a>) {
        let Some(asking) = scope.asking.clone() else { return };
        if asking.kind == "database" {
            self.have_alone(&asking);
        }
        let around = std::mem::replace(&mut self.scope, scope);
        for secret in &asking.grant.secrets {
            self.secret(secret);
        }
        for step in &asking.grant.steps {
            self.step(step);
        }
        self.scope = around;
        // All that the instance does itself comes after it.
        self.ground.append(&mut self.previous);
    }

    /// A database and its owner belong to one claim: two would set the owner's password by turns.
    fn have_alone(&mut self, asking: &Asking<'_, '_>) {
        let provider = match &asking.of {
            Binding::Instance { name, .. } => name.to_string(),
            Binding::External { name } => format!("external.{name}"),
            Binding::Nothing { .. } => return,
        };
        let claim = format!("{}.{}", asking.by.name(), asking.id);
        for option in ["name", "owner"] {
            let Some(Value::Text(word)) = asking.wishes.get(option) else { continue };
            let what = if option == "name" { "database" } else { "owner" };
            let key = (provider.clone(), what, word.clone());
            let Some(other) = self.yard.granted.insert(key, claim.clone()) else { continue };
            let message =
                format!("`{other}` and `{claim}` claim the same {what} `{word}` of `{provider}`");
            self.yard.problems.push(
                Problem::error("same-claim", message)
                    .at(asking.by.at())
                    .help("give one of the two instances another name for it, in its section"),
            );
        }
    }

    /// Makes what a claim of the flavour itself gets of this provider: in its name, and when it is there.
    fn grant_to_flavour(&mut self, wish: &'w ClaimWish) -> Vec<Credential> {
        let member = self.member;
        let contracts = |capability: &str| self.scope.world.catalogue.contract(capability);
        let ClaimKind::Granted { kind, .. } = &wish.want else {
            let message =
                "a flavour claims what a provider grants, and a volume is granted by nobody";
            self.yard.problems.push(
                Problem::error("unknown-claim", message)
                    .at(&wish.at)
                    .help("volumes belong to components: write it in a component's `claims`"),
            );
            return Vec::new();
        };
        let mut provides = member.component.provides().iter().enumerate();
        let found = provides.find(|(_, provide)| {
            contracts(&provide.capability).is_some_and(|known| known.claims.contains_key(*kind))
        });
        let Some((at, provide)) = found else {
            let message = format!("`{}` grants no {kind}", member.name());
            self.yard.problems.push(Problem::error("not-granted", message).at(&wish.at));
            return Vec::new();
        };
        let of = Binding::Instance { name: member.name().clone(), provide: Some(at) };
        let problems = &mut self.yard.problems;
        let mut found = Problems::default();
        if let Some(contract) = self.scope.world.catalogue.contract(&provide.capability) {
            grant::check_options(wish, contract, &mut found);
        }
        let is_wrong = found.has_errors();
        problems.append(found);
        if is_wrong {
            return Vec::new();
        }
        // What a user writes is taken as it is.
        let as_it_is = |tree: &Located, _: &mut Problems| Some(plain(tree));
        match self.scope.granted_by(wish, of, &provide.capability, &as_it_is, problems) {
            Ok(scope) => {
                let opens = credentials(&scope);
                self.make(scope);
                opens
            }
            Err(miss) => {
                miss.report(&format!("claims.{}", wish.id), &wish.at, problems);
                Vec::new()
            }
        }
    }
}

/// What opens what is granted: the outputs that are kept in Secrets.
fn credentials(scope: &Scope<'_, '_>) -> Vec<Credential> {
    let Some(asking) = &scope.asking else { return Vec::new() };
    let outputs = asking.grant.outputs.iter();
    let secrets = outputs.filter_map(|rule| {
        let found = scope.granted_output(&rule.name, &mut Problems::default());
        let Ok(Found::Ref(at)) = found else { return None };
        Some(Credential {
            instance: asking.by.name().clone(),
            name: format!("{}.{}", asking.id, rule.name),
            user: None,
            secret: LoginPart::Secret(at),
        })
    });
    secrets.collect()
}

/// Reads the claims of the flavour itself: `NAME: {kind: bucket, from: INSTANCE, …}`.
pub(super) fn of_flavour(tree: &Located, problems: &mut Problems) -> Vec<ClaimWish> {
    if !tree.items().is_empty() {
        let message = "`claims` is a map by name, and here stands a list";
        problems.push(
            Problem::error("wrong-type", message)
                .at(&tree.span)
                .help("write: claims: {NAME: {kind: bucket, from: INSTANCE}}"),
        );
    }
    let entries = tree.entries().iter();
    entries
        .filter_map(|entry| {
            if let Err(why) = entry.key.parse::<Name>() {
                let problem = Problem::error("bad-name", why.to_string());
                problems.push(problem.at(&entry.key_span));
                return None;
            }
            let mut wish = entry.value.clone();
            if let Node::Map(fields) = &mut wish.node {
                for key in ["id", "name"] {
                    if fields.iter().all(|field| field.key != key) {
                        let node = Node::Text(entry.key.clone());
                        let value = Located { node, span: entry.key_span.clone() };
                        let key_span = entry.key_span.clone();
                        fields.push(Entry { key: key.to_owned(), key_span, value });
                    }
                }
            }
            rule::claim(&wish, problems)
        })
        .collect()
}

/// Makes the claims of the flavour, each in the name of the instance that grants it; gives what opens them.
pub(super) fn grant_to_flavour<'w>(
    world: &'w World<'_>,
    wishes: &'w [ClaimWish],
    yard: &mut Yard<'_>,
) -> Vec<Credential> {
    let mut opens = Vec::new();
    for wish in wishes {
        let from = match &wish.want {
            ClaimKind::Granted { from, .. } => from.as_text().unwrap_or_default(),
            ClaimKind::Volume { .. } => "",
        };
        let Some(member) = world.find(from).or_else(|| world.members.first()) else { continue };
        if !from.is_empty() && member.name().as_str() != from {
            let names = world.members.iter().map(|member| member.name().as_str());
            yard.problems.push(
                Problem::error(
                    "unknown-instance",
                    format!("nothing in the flavour is called `{from}`"),
                )
                .at(&wish.at)
                .suggest(from, names),
            );
            continue;
        }
        let mut site = Site::new(world, member, yard);
        site.providers = [site.scope.health_id()].into();
        opens.extend(site.grant_to_flavour(wish));
    }
    opens
}
