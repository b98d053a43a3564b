//! Objects inside a namespace: applied by server-side apply, and the Secret, which is made once.

use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use kube::core::{DynamicObject, GroupVersionKind};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::{ApiError, Refusal};
use super::{Cluster, MANAGER, call};

impl Cluster {
    /// Applies an object of any kind that lives in namespaces. Applying the same again changes nothing.
    pub(crate) async fn apply(&self, namespace: &str, object: &Value) -> Result<(), ApiError> {
        let text = |pointer: &str| {
            let value = object.pointer(pointer).and_then(Value::as_str);
            value.unwrap_or_default().to_owned()
        };
        let (kind, name) = (text("/kind"), text("/metadata/name"));
        let api_version = text("/apiVersion");
        let (group, version) = api_version.split_once('/').unwrap_or(("", &api_version));
        let resource = self
            .kinds
            .of(&self.client, &GroupVersionKind::gvk(group, version, &kind))
            .await?;
        let api: Api<DynamicObject> =
            Api::namespaced_with(self.client.clone(), namespace, &resource);
        let parameters = PatchParams::apply(MANAGER).force();
        let doing = format!("apply {kind}/{name}");
        call(doing, api.patch(&name, &parameters, &Patch::Apply(object))).await?;
        Ok(())
    }

    /// Makes the Secret, or gives the one that is there: what is in it was handed out already.
    pub(crate) async fn secret(
        &self,
        namespace: &str,
        wanted: &Value,
    ) -> Result<Option<Secret>, ApiError> {
        let wanted: Secret = typed(wanted)?;
        let name = wanted.metadata.name.clone().unwrap_or_default();
        let api: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        let parameters = PostParams {
            field_manager: Some(MANAGER.to_owned()),
            ..PostParams::default()
        };
        let doing = format!("create Secret/{name}");
        match call(doing, api.create(&parameters, &wanted)).await {
            Ok(_) => Ok(None),
            Err(error) if error.refusal() == Some(Refusal::Exists) => {
                let doing = format!("read Secret/{name}");
                call(doing, api.get(&name)).await.map(Some)
            }
            Err(error) => Err(error),
        }
    }
}

/// A manifest as the type that it is of.
pub(super) fn typed<K: DeserializeOwned>(manifest: &Value) -> Result<K, ApiError> {
    K::deserialize(manifest).map_err(|error| ApiError::Refused {
        doing: "read a manifest".to_owned(),
        refusal: Refusal::Invalid,
        message: error.to_string(),
    })
}
