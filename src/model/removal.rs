//! What must be so, and what is done, before something of an instance goes. Written in the cluster beside the instance, since
//! what goes is planned from what is there and not from files.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Class, ConditionTest, ObjectRef};

/// The rules by which something goes.
#[derive(Debug, Clone, PartialEq)]
pub struct RemovalSpec {
    /// The namespace of the object that holds them.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The rules.
    pub rules: RemovalRules,
}

/// What is checked, done and waited for, in this order, when the node goes. What it needs goes after it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RemovalRules {
    /// All must hold, or nothing of the instance goes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub guards: Vec<Guard>,
    /// What the instance's programs made and nobody else takes away.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub selected: Vec<Selected>,
    /// What must be gone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gone: Vec<Gone>,
    /// How long anything of the instance may take to go, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u64>,
    /// What becomes of volume claims that others made for the instance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volumes: Option<VolumeRule>,
}

impl RemovalRules {
    /// How long anything of the instance may take to go.
    pub fn ceiling(&self) -> Option<Duration> {
        self.timeout.map(Duration::from_secs)
    }
}

/// A condition without which nothing goes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Guard {
    /// What must hold.
    pub test: ConditionTest,
    /// What a person reads when it does not.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub because: Option<String>,
}

/// Objects that are deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selected {
    /// Their kind and namespace; the name is `*`.
    pub of: ObjectRef,
    /// A label selector; never empty.
    pub selector: String,
    /// Whether it is waited until they are gone.
    pub wait: bool,
}

/// Objects that must be gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gone {
    /// Which; the name may be `*`.
    pub of: ObjectRef,
    /// A label selector.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub selector: Option<String>,
    /// How long is waited, in seconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub timeout: Option<u64>,
}

/// What becomes of volume claims: those that a selector takes are kept or go, the others the other way round.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeRule {
    /// Whether those that are meant are kept.
    pub keep: bool,
    /// Which are meant; all of them when absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub selector: Option<String>,
}

impl VolumeRule {
    /// The class of a claim with these labels: what is kept is data.
    pub fn class(&self, labels: &BTreeMap<String, String>) -> Class {
        let meant = self.selector.as_deref().is_none_or(|selector| selects(selector, labels));
        if meant == self.keep { Class::Data } else { Class::Stateful }
    }
}

/// The parts of a label selector, or the one that is none: `a=b`, `a!=b`, `a`, `!a`.
pub fn check_selector(selector: &str) -> Result<(), String> {
    let name = |text: &str| {
        let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
        !text.is_empty() && text.chars().all(fine)
    };
    let value = |text: &str| text.is_empty() || name(text);
    for part in selector.split(',').map(str::trim) {
        let fine = match part.split_once('=') {
            Some((key, rest)) => {
                name(key.strip_suffix('!').unwrap_or(key).trim())
                    && value(rest.strip_prefix('=').unwrap_or(rest).trim())
            }
            None => name(part.strip_prefix('!').unwrap_or(part)),
        };
        if !fine {
            return Err(part.to_owned());
        }
    }
    Ok(())
}

/// Whether a label selector takes labels.
pub fn selects(selector: &str, labels: &BTreeMap<String, String>) -> bool {
    selector.split(',').map(str::trim).all(|part| match part.split_once('=') {
        Some((key, rest)) => {
            let wanted = rest.strip_prefix('=').unwrap_or(rest).trim();
            match key.strip_suffix('!') {
                Some(key) => labels.get(key.trim()).is_none_or(|value| value != wanted),
                None => labels.get(key.trim()).is_some_and(|value| value == wanted),
            }
        }
        None => match part.strip_prefix('!') {
            Some(key) => !labels.contains_key(key),
            None => labels.contains_key(part),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_selector_takes_what_kubernetes_would_take() {
        let of = labels(&[("app", "db"), ("tier", "x")]);
        for (selector, taken) in [
            ("app=db", true),
            ("app==db,tier", true),
            ("app!=db", false),
            ("other!=x", true),
            ("!other", true),
            ("!app", false),
            ("app=db, tier=y", false),
        ] {
            assert_eq!(selects(selector, &of), taken, "{selector}");
            assert_eq!(check_selector(selector), Ok(()), "{selector}");
        }
        for wrong in ["", "a=b,", "a in (b)", "a=b c"] {
            assert!(check_selector(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_not_meant_is_treated_the_other_way_round() {
        let of = labels(&[("app", "db")]);
        let rule = |keep, selector: Option<&str>| VolumeRule {
            keep,
            selector: selector.map(str::to_owned),
        };
        assert_eq!(rule(true, None).class(&of), Class::Data);
        assert_eq!(rule(false, None).class(&of), Class::Stateful);
        assert_eq!(rule(true, Some("app=db")).class(&of), Class::Data);
        assert_eq!(rule(true, Some("app=x")).class(&of), Class::Stateful);
        assert_eq!(rule(false, Some("app=x")).class(&of), Class::Data);
    }

    #[test]
    fn rules_read_back_as_they_were_written() {
        let of = ObjectRef {
            api_version: "v1".to_owned(),
            kind: "Pod".to_owned(),
            namespace: Some("n".to_owned()),
            name: "*".to_owned(),
        };
        let rules = RemovalRules {
            guards: vec![Guard { test: ConditionTest::Gone(of.clone()), because: None }],
            selected: vec![Selected { of: of.clone(), selector: "a=b".to_owned(), wait: true }],
            gone: vec![Gone { of, selector: None, timeout: Some(5) }],
            timeout: Some(9),
            volumes: Some(VolumeRule { keep: true, selector: None }),
        };
        let text = serde_json::to_string(&rules).unwrap();
        assert_eq!(serde_json::from_str::<RemovalRules>(&text).unwrap(), rules);
        assert_eq!(serde_json::from_str::<RemovalRules>("{}").unwrap(), RemovalRules::default());
    }
}
