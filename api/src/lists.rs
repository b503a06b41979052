//! What all lists have in common over HTTP: their parameters and their body.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use service::accounts::Viewer;
use service::lists::{ListRequest, Page};
use utoipa::IntoParams;

use crate::input::Parameters;
use crate::output::{json, linked};
use crate::problem::Problem;

/// What a list takes that can be filtered and sorted.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "read by the OpenAPI document only; Parameters reads the request"
)]
pub struct ListParameters {
    /// AIP-160 over the fields of the items: `=`, `!=`, `<`, `<=`, `>`, `>=`, `:`, `:*`, `AND`, `OR`, `NOT`, `-`, parentheses.
    /// OR binds more tightly than AND.
    #[param(max_length = 8_000)]
    filter: Option<String>,
    /// Fields separated by commas, `-` before one for descending; without a value last, ties broken by id.
    sort: Option<String>,
    /// Items on a page.
    #[param(minimum = 1, maximum = 200, default = 25)]
    limit: Option<u64>,
    /// `next_cursor` of a reply with the same filter and sort.
    cursor: Option<String>,
    /// Whether to count all matches.
    #[param(default = false)]
    total: Option<bool>,
}

/// What the list of resources takes.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "read by the OpenAPI document only; Parameters reads the request"
)]
pub struct ResourceListParameters {
    /// AIP-160: `language = "en" AND metadata.pages > 300`, `subject:"Databases"`, `metadata.doi:*`, `NOT`, `OR`, `-`,
    /// parentheses. OR binds more tightly than AND.
    #[param(max_length = 8_000)]
    filter: Option<String>,
    /// Fields separated by commas, `-` before one for descending; without a value last, ties broken by id. Default
    /// `-created_at`.
    #[param(example = "-created_at,title")]
    sort: Option<String>,
    /// Items on a page.
    #[param(minimum = 1, maximum = 200, default = 25)]
    limit: Option<u64>,
    /// `next_cursor` of a reply with the same filter and sort.
    cursor: Option<String>,
    /// Whether to count all matches.
    #[param(default = false)]
    total: Option<bool>,
}

impl Parameters {
    /// Takes what [`ListParameters`] names.
    pub fn list(&mut self, viewer: Viewer) -> Result<ListRequest, Problem> {
        Ok(ListRequest {
            filter: self.text("filter")?,
            sort: self.text("sort")?,
            limit: self.number("limit")?,
            cursor: self.text("cursor")?,
            total: self.flag("total")?,
            viewer: Some(viewer),
        })
    }
}

#[derive(Serialize)]
struct Body<T> {
    items: Vec<T>,
    next_cursor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<i64>,
}

/// A page as a reply: its body, and the `Link` to the next one.
pub fn page_reply<T: Serialize>(
    request: &HttpRequest,
    page: Page<T>,
) -> Result<HttpResponse, Problem> {
    let body = Body {
        items: page.items,
        next_cursor: page.next_cursor,
        total: page.total,
    };
    Ok(linked(
        json(StatusCode::OK, &body)?,
        request,
        body.next_cursor.as_deref(),
    ))
}

/// The OpenAPI document's view of [`page_reply`]: `list_schema!(ResourceList, Resource, "A page of resources.")`.
macro_rules! list_schema {
    ($name:ident, $item:ty, $description:literal) => {
        #[doc = $description]
        #[derive(utoipa::ToSchema)]
        #[expect(
            dead_code,
            reason = "the OpenAPI document's view of what page_reply writes"
        )]
        pub struct $name {
            items: Vec<$item>,
            #[schema(required)]
            next_cursor: Option<String>,
            /// With `total=true` only.
            #[schema(nullable = false)]
            total: Option<i64>,
        }
    };
}

pub(crate) use list_schema;
