//! `admission.k8s.io/v1` AdmissionReview: a request as the API server sends it in, an answer as it expects it out.
//! <https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#request>

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What the API server sends. Fields that we do not read may come and go with its version.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Review {
    api_version: String,
    kind: String,
    request: Option<Value>,
}

/// The question.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Request {
    /// To be sent back.
    pub(super) uid: String,
    /// Kind of the object.
    pub(super) kind: GroupKind,
    /// `ephemeralcontainers`, `status`, `scale`, …
    #[serde(default)]
    pub(super) sub_resource: String,
    /// Empty when the object has a `generateName`.
    #[serde(default)]
    pub(super) name: String,
    /// Empty for cluster-wide objects.
    #[serde(default)]
    pub(super) namespace: String,
    /// `CREATE`, `UPDATE`, `DELETE`, `CONNECT`.
    pub(super) operation: String,
    /// Who asks.
    #[serde(default)]
    pub(super) user_info: UserInfo,
    /// The request as it came, for rules.
    #[serde(skip)]
    pub(super) raw: Value,
    /// Nothing may be changed or stored.
    #[serde(default)]
    pub(super) dry_run: Option<bool>,
}

impl Request {
    /// The object as it would be.
    pub(super) fn object(&self) -> &Value {
        &self.raw["object"]
    }

    /// The object as it is, for updates.
    pub(super) fn old_object(&self) -> &Value {
        &self.raw["oldObject"]
    }
}

/// A kind without its version.
#[derive(Deserialize)]
pub(super) struct GroupKind {
    /// Empty for the core group.
    #[serde(default)]
    pub(super) group: String,
    /// `Pod`.
    pub(super) kind: String,
}

/// Who asks.
#[derive(Default, Deserialize)]
pub(super) struct UserInfo {
    #[serde(default)]
    pub(super) username: String,
}

/// What the API server reads.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ReviewAnswer {
    api_version: &'static str,
    kind: &'static str,
    response: Response,
}

#[derive(Debug, Serialize)]
struct Response {
    uid: String,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Status {
    code: u16,
    reason: &'static str,
    message: String,
}

const API_VERSION: &str = "admission.k8s.io/v1";
const KIND: &str = "AdmissionReview";

/// Reads a review; the error says why it is none.
pub(super) fn parse(bytes: &[u8]) -> Result<Request, String> {
    let no_review = |error: serde_json::Error| {
        let text: String = error.to_string().chars().take(200).collect();
        format!("this is no AdmissionReview: {text}")
    };
    let review: Review = serde_json::from_slice(bytes).map_err(no_review)?;
    if review.api_version != API_VERSION || review.kind != KIND {
        return Err(format!("this is no {KIND} of {API_VERSION}"));
    }
    let raw = review.request.ok_or("the AdmissionReview has no request")?;
    let mut request = Request::deserialize(&raw).map_err(no_review)?;
    request.raw = raw;
    if request.uid.is_empty() || request.uid.len() > 256 {
        return Err("the request's uid is empty or too long".to_owned());
    }
    Ok(request)
}

impl ReviewAnswer {
    /// Lets the object pass.
    pub(super) fn allow(uid: String, warnings: Vec<String>) -> Self {
        Self::new(uid, None, warnings)
    }

    /// Refuses the object; the message reaches whoever asked.
    pub(super) fn deny(uid: String, message: String, warnings: Vec<String>) -> Self {
        let status = Status {
            code: 403,
            reason: "Forbidden",
            message,
        };
        Self::new(uid, Some(status), warnings)
    }

    fn new(uid: String, status: Option<Status>, warnings: Vec<String>) -> Self {
        Self {
            api_version: API_VERSION,
            kind: KIND,
            response: Response {
                uid,
                allowed: status.is_none(),
                status,
                warnings,
            },
        }
    }
}
