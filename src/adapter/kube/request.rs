//! Reading and writing objects.

use http::Request as HttpRequest;
use kube::api::{
    DeleteParams, GetParams, ListParams, Patch, PatchParams, PostParams, Preconditions,
    PropagationPolicy,
};
use kube::core::{Request, Status};
use serde_json::{Value as Json, json};

use super::{Cluster, KubeError, ServedKind};
use crate::model::{Object, ObjectRef};

/// How many objects a page of a list holds.
const PAGE: u32 = 500;

/// Which objects to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// `apps/v1`.
    pub api_version: String,
    /// `Deployment`.
    pub kind: String,
    /// One namespace; all of them when absent.
    pub namespace: Option<String>,
    /// A label selector.
    pub labels: Option<String>,
    /// A field selector.
    pub fields: Option<String>,
    /// Names, labels and annotations only.
    pub metadata_only: bool,
}

impl Listing {
    /// All objects of a kind.
    pub fn of(api_version: impl Into<String>, kind: impl Into<String>) -> Self {
        Self { api_version: api_version.into(), kind: kind.into(), ..Self::default() }
    }

    /// Only those in a namespace.
    #[must_use]
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = Some(namespace.into());
        self
    }

    /// Only those that a label selector takes.
    #[must_use]
    pub fn labels(mut self, selector: impl Into<String>) -> Self {
        self.labels = Some(selector.into());
        self
    }

    /// Only those that a field selector takes.
    #[must_use]
    pub fn fields(mut self, selector: impl Into<String>) -> Self {
        self.fields = Some(selector.into());
        self
    }

    /// Names, labels and annotations only.
    #[must_use]
    pub fn metadata_only(mut self) -> Self {
        self.metadata_only = true;
        self
    }
}

/// How an object is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// The field manager.
    pub manager: String,
    /// Whether fields that others hold are taken.
    pub force: bool,
    /// Whether the server only says what would be.
    pub dry_run: bool,
}

impl Write {
    /// A write as a manager, which takes no field from others.
    pub fn by(manager: impl Into<String>) -> Self {
        Self { manager: manager.into(), force: false, dry_run: false }
    }

    /// Takes fields that others hold.
    #[must_use]
    pub fn forced(mut self) -> Self {
        self.force = true;
        self
    }

    /// Writes nothing.
    #[must_use]
    pub fn dry(mut self) -> Self {
        self.dry_run = true;
        self
    }
}

/// What happens to what an object owns when it is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Propagation {
    /// It goes afterwards.
    Background,
    /// It goes first.
    Foreground,
}

/// What must still be so of an object that is deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Only<'a> {
    /// It has this uid.
    pub uid: Option<&'a str>,
    /// It has this resource version.
    pub version: Option<&'a str>,
}

trait Answer {
    /// Whether it is the application's answer and not the API server's.
    fn status_is_foreign(&self) -> bool;
}

impl Answer for Status {
    fn status_is_foreign(&self) -> bool {
        // What the client writes when an answer is no `Status`.
        self.reason == "Failed to parse error data"
    }
}

type Prepared = Result<HttpRequest<Vec<u8>>, kube::core::request::Error>;

impl Cluster {
    /// An object, whole; nothing when it is not there.
    pub async fn get(&self, object: &ObjectRef) -> Result<Option<Object>, KubeError> {
        let kind = self.kind(&object.api_version, &object.kind).await?;
        let path = Request::new(kind.path(object.namespace.as_deref()));
        let prepare = || path.get(&object.name, &GetParams::default());
        match self.read_json(&object.to_string(), prepare).await {
            Ok(json) => Ok(Some(Object(json))),
            Err(KubeError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Objects of a kind, page by page until all are there.
    pub async fn list(&self, listing: &Listing) -> Result<Vec<Object>, KubeError> {
        let kind = self.kind(&listing.api_version, &listing.kind).await?;
        self.list_kind(&kind, listing).await
    }

    async fn list_kind(
        &self,
        kind: &ServedKind,
        listing: &Listing,
    ) -> Result<Vec<Object>, KubeError> {
        let path = Request::new(kind.path(listing.namespace.as_deref()));
        let mut params = ListParams {
            label_selector: listing.labels.clone(),
            field_selector: listing.fields.clone(),
            limit: Some(PAGE),
            ..ListParams::default()
        };
        let mut objects = Vec::new();
        loop {
            let prepare = || {
                if listing.metadata_only { path.list_metadata(&params) } else { path.list(&params) }
            };
            let mut page = self.read_json(&format!("the list of {}", kind.plural), prepare).await?;
            let items = page.get_mut("items").map(Json::take);
            objects.extend(items.into_iter().flat_map(into_list).map(|mut item| {
                // Items of a list do not say their kind; metadata-only ones say another.
                set(&mut item, "apiVersion", &kind.api_version);
                set(&mut item, "kind", &kind.kind);
                Object(item)
            }));
            match page.pointer("/metadata/continue").and_then(Json::as_str) {
                Some(token) if !token.is_empty() => params.continue_token = Some(token.to_owned()),
                _ => return Ok(objects),
            }
        }
    }

    /// Server-side apply. What comes back is the object as it is, or in a dry run as it would be.
    pub async fn apply(&self, object: &Object, write: &Write) -> Result<Object, KubeError> {
        let (reference, kind) = self.reference(object).await?;
        let path = Request::new(kind.path(reference.namespace.as_deref()));
        let params = PatchParams {
            dry_run: write.dry_run,
            force: write.force,
            field_manager: Some(write.manager.clone()),
            field_validation: None,
        };
        let request = || path.patch(&reference.name, &params, &Patch::Apply(&object.0));
        // Safe to repeat, and a dry run is a read.
        if write.dry_run {
            return self.read_json(&reference.to_string(), request).await.map(Object);
        }
        self.write_json(&reference.to_string(), request()).await.map(Object)
    }

    /// Creates an object that must not be there.
    pub async fn create(&self, object: &Object, write: &Write) -> Result<Object, KubeError> {
        let (reference, kind) = self.reference(object).await?;
        let path = Request::new(kind.path(reference.namespace.as_deref()));
        let params =
            PostParams { dry_run: write.dry_run, field_manager: Some(write.manager.clone()) };
        let request = path.create(&params, object.0.to_string().into_bytes());
        self.write_json(&reference.to_string(), request).await.map(Object)
    }

    /// Merges a patch into an object. A `metadata.resourceVersion` in the patch is a precondition.
    pub async fn merge(
        &self,
        object: &ObjectRef,
        patch: &Json,
        manager: &str,
    ) -> Result<Object, KubeError> {
        let kind = self.kind(&object.api_version, &object.kind).await?;
        let collection = Request::new(kind.path(object.namespace.as_deref()));
        let params = PatchParams { field_manager: Some(manager.to_owned()), ..Default::default() };
        let request = collection.patch(&object.name, &params, &Patch::Merge(patch));
        self.write_json(&object.to_string(), request).await.map(Object)
    }

    /// Deletes an object, if it still is the one that is meant. `false` when it was not there.
    pub async fn delete(
        &self,
        object: &ObjectRef,
        only: Only<'_>,
        propagation: Propagation,
    ) -> Result<bool, KubeError> {
        let kind = self.kind(&object.api_version, &object.kind).await?;
        let path = Request::new(kind.path(object.namespace.as_deref()));
        let params = DeleteParams {
            propagation_policy: Some(match propagation {
                Propagation::Background => PropagationPolicy::Background,
                Propagation::Foreground => PropagationPolicy::Foreground,
            }),
            preconditions: (only != Only::default()).then(|| Preconditions {
                uid: only.uid.map(str::to_owned),
                resource_version: only.version.map(str::to_owned),
            }),
            ..DeleteParams::default()
        };
        match self.write_json(&object.to_string(), path.delete(&object.name, &params)).await {
            Ok(_) => Ok(true),
            Err(KubeError::NotFound(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The status code that a path of a Service answers, asked through the API server's proxy. When the proxy itself cannot
    /// reach the Service, the answer is an error.
    pub async fn ask_service(
        &self,
        service: &ObjectRef,
        port: u16,
        path: &str,
    ) -> Result<u16, KubeError> {
        let namespace = service.namespace.as_deref().unwrap_or("default");
        let address = format!(
            "/api/v1/namespaces/{namespace}/services/{}:{port}/proxy/{}",
            service.name,
            path.trim_start_matches('/')
        );
        let what = format!("{service}, port {port}");
        let request = HttpRequest::get(address).body(Vec::new());
        let request = request.map_err(|error| KubeError::Invalid(error.to_string()))?;
        match self.once(&what, async { Ok(self.client.request_text(request).await) }).await? {
            Ok(_) => Ok(200),
            // The application's own words are no status of Kubernetes.
            Err(kube::Error::Api(status)) if status.status_is_foreign() => Ok(status.code),
            Err(error) => Err(super::error::from_client(error)),
        }
    }

    /// Asks for a review (`SelfSubjectAccessReview` and its like): answered at once and kept nowhere, so safe to repeat.
    pub async fn review(
        &self,
        api_version: &str,
        kind: &str,
        spec: &Json,
    ) -> Result<Json, KubeError> {
        let served = self.kind(api_version, kind).await?;
        let path = Request::new(served.path(None));
        let body = json!({"apiVersion": api_version, "kind": kind, "spec": spec}).to_string();
        let prepare = || path.create(&PostParams::default(), body.clone().into_bytes());
        self.read_json(kind, prepare).await
    }

    async fn reference(&self, object: &Object) -> Result<(ObjectRef, ServedKind), KubeError> {
        let reference = object.reference().ok_or_else(|| {
            KubeError::Invalid("an object has no apiVersion, kind or name".to_owned())
        })?;
        let kind = self.kind(&reference.api_version, &reference.kind).await?;
        if kind.namespaced && reference.namespace.is_none() {
            return Err(KubeError::Invalid(format!("{reference} names no namespace")));
        }
        Ok((reference, kind))
    }

    async fn read_json(
        &self,
        what: &str,
        prepare: impl Fn() -> Prepared,
    ) -> Result<Json, KubeError> {
        let ask = || {
            let request = prepare();
            async { self.client.request(request.map_err(kube::Error::BuildRequest)?).await }
        };
        self.read(what, ask).await
    }

    async fn write_json(&self, what: &str, request: Prepared) -> Result<Json, KubeError> {
        let request = request.map_err(|error| KubeError::Invalid(error.to_string()))?;
        self.once(what, self.client.request(request)).await
    }
}

fn into_list(json: Json) -> Vec<Json> {
    match json {
        Json::Array(items) => items,
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Object(_) => {
            Vec::new()
        }
    }
}

fn set(object: &mut Json, key: &str, value: &str) {
    if let Some(map) = object.as_object_mut() {
        map.insert(key.to_owned(), Json::String(value.to_owned()));
    }
}
