//! What is mounted where. The same list serves requests, counts them and makes the OpenAPI document, so that none has an
//! operation that another has not. The document is large, so it is made when somebody asks for it.

use actix_web::dev::{HttpServiceFactory, ServiceFactory, ServiceRequest};
use actix_web::http::Method;
use actix_web::{App, Error, Resource, Scope, web};
use utoipa::Path;
use utoipa::openapi::HttpMethod;
use utoipa_actix_web::{OpenApiFactory, UtoipaApp, scope::Scope as DescribedScope};

use crate::app::answer_unknown;
use crate::routes::{
    annotations, assignments, authorities, bulk, citations, codes, collection_contents,
    collections, health, keys, monitoring, resources, search, taxonomy, users,
};

/// Something that operations are mounted in.
pub trait Mount: Sized {
    /// Mounts an operation that the document describes.
    fn service<F: HttpServiceFactory + OpenApiFactory + Path + 'static>(self, operation: F)
    -> Self;

    /// Mounts what the document says nothing of.
    fn undescribed(self, resource: Resource) -> Self;
}

/// The operations outside of the API's prefix.
pub fn outside<M: Mount>(app: M) -> M {
    app.service(health::check_liveness)
        .service(health::check_readiness)
        .service(monitoring::show_metrics)
}

/// The operations of the API, without its prefix.
pub fn within<M: Mount>(scope: M) -> M {
    scope
        .service(resources::list_resources)
        .service(resources::create_resource)
        .service(bulk::create_resources)
        .service(bulk::export_resources)
        .service(bulk::delete_resources)
        .undescribed(nothing_else("/resources/{last:batch|export|delete}"))
        .service(resources::find_resource)
        .service(resources::patch_resource)
        .service(resources::delete_resource)
        .service(assignments::list_resource_taxonomy)
        .service(assignments::assign_taxonomy_node)
        .service(assignments::unassign_taxonomy_node)
        .service(taxonomy::list_taxonomy)
        .service(taxonomy::create_taxonomy_node)
        // Before the node of any id, with all its methods.
        .service(assignments::list_taxonomy_review)
        .undescribed(nothing_else("/taxonomy/review"))
        .service(assignments::find_prediction)
        .service(assignments::accept_prediction)
        .service(assignments::reject_prediction)
        .service(taxonomy::find_taxonomy_node)
        .service(taxonomy::patch_taxonomy_node)
        .service(taxonomy::delete_taxonomy_node)
        .service(taxonomy::move_taxonomy_node)
        .service(taxonomy::merge_taxonomy_node)
        .service(taxonomy::list_taxonomy_resources)
        .service(codes::list_classification_codes)
        .service(codes::create_classification_code)
        .service(codes::import_classification_codes)
        .undescribed(nothing_else("/classification-codes/import"))
        .service(codes::find_classification_code)
        .service(codes::patch_classification_code)
        .service(codes::delete_classification_code)
        .service(authorities::list_authorities)
        .service(authorities::create_authority)
        .service(authorities::find_authority)
        .service(authorities::patch_authority)
        .service(authorities::delete_authority)
        .service(authorities::merge_authority)
        .service(search::search_library)
        .service(search::suggest_completions)
        .service(annotations::list_resource_annotations)
        .service(annotations::create_annotation)
        .service(annotations::list_annotations)
        .service(annotations::export_annotations)
        .service(annotations::find_annotation)
        .service(annotations::patch_annotation)
        .service(annotations::delete_annotation)
        .service(citations::list_resource_citations)
        .service(citations::create_citation)
        .service(citations::list_citations)
        .service(citations::list_importance)
        .service(citations::compute_importance)
        .service(citations::find_citation)
        .service(citations::patch_citation)
        .service(citations::delete_citation)
        .service(collections::list_collections)
        .service(collections::create_collection)
        .service(collections::find_collection)
        .service(collections::patch_collection)
        .service(collections::delete_collection)
        .service(collection_contents::list_collection_resources)
        .service(collection_contents::add_collection_resources)
        .service(collection_contents::remove_collection_resources)
        .undescribed(nothing_else("/collections/{id}/resources/remove"))
        .service(collection_contents::put_collection_resource)
        .service(collection_contents::remove_collection_resource)
        .service(collection_contents::list_members)
        .service(collection_contents::put_member)
        .service(collection_contents::delete_member)
        .service(users::find_me)
        .service(users::list_users)
        .service(users::create_user)
        .service(users::find_user)
        .service(users::patch_user)
        .service(users::delete_user)
        .service(keys::list_keys)
        .service(keys::create_key)
        .service(keys::find_key)
        .service(keys::revoke_key)
        .service(monitoring::monitor_database)
        .service(monitoring::list_slow_queries)
}

/// Keeps other methods of a path from being taken for those of a path with a parameter in that place.
fn nothing_else(path: &'static str) -> Resource {
    web::resource(path).to(answer_unknown)
}

impl<T> Mount for App<T>
where
    T: ServiceFactory<ServiceRequest, Config = (), Error = Error, InitError = ()>,
{
    fn service<F: HttpServiceFactory + OpenApiFactory + Path + 'static>(
        self,
        operation: F,
    ) -> Self {
        Self::service(self, operation)
    }

    fn undescribed(self, resource: Resource) -> Self {
        Self::service(self, resource)
    }
}

impl<T> Mount for UtoipaApp<T>
where
    T: ServiceFactory<ServiceRequest, Config = (), Error = Error, InitError = ()>,
{
    fn service<F: HttpServiceFactory + OpenApiFactory + Path + 'static>(
        self,
        operation: F,
    ) -> Self {
        Self::service(self, operation)
    }

    fn undescribed(self, resource: Resource) -> Self {
        self.map(|app| app.service(resource))
    }
}

impl<T> Mount for Scope<T>
where
    T: ServiceFactory<ServiceRequest, Config = (), Error = Error, InitError = ()>,
{
    fn service<F: HttpServiceFactory + OpenApiFactory + Path + 'static>(
        self,
        operation: F,
    ) -> Self {
        Self::service(self, operation)
    }

    fn undescribed(self, resource: Resource) -> Self {
        Self::service(self, resource)
    }
}

impl<T> Mount for DescribedScope<T>
where
    T: ServiceFactory<ServiceRequest, Config = (), Error = Error, InitError = ()>,
{
    fn service<F: HttpServiceFactory + OpenApiFactory + Path + 'static>(
        self,
        operation: F,
    ) -> Self {
        Self::service(self, operation)
    }

    fn undescribed(self, resource: Resource) -> Self {
        self.map(|scope| scope.service(resource))
    }
}

/// The methods and paths of operations, and nothing else.
#[derive(Default)]
struct Listing(Vec<(Method, String)>);

impl Mount for Listing {
    fn service<F: HttpServiceFactory + OpenApiFactory + Path + 'static>(mut self, _: F) -> Self {
        let methods = F::methods().into_iter().map(method);
        self.0.extend(methods.map(|method| (method, F::path())));
        self
    }

    fn undescribed(self, _: Resource) -> Self {
        self
    }
}

fn method(method: HttpMethod) -> Method {
    match method {
        HttpMethod::Get => Method::GET,
        HttpMethod::Post => Method::POST,
        HttpMethod::Put => Method::PUT,
        HttpMethod::Delete => Method::DELETE,
        HttpMethod::Options => Method::OPTIONS,
        HttpMethod::Head => Method::HEAD,
        HttpMethod::Patch => Method::PATCH,
        HttpMethod::Trace => Method::TRACE,
    }
}

/// Every operation that the document describes, by its method and path; those of the API under `prefix`.
pub fn list(prefix: &str) -> Vec<(Method, String)> {
    let Listing(mut operations) = outside(Listing::default());
    let Listing(of_api) = within(Listing::default());
    operations.extend(
        of_api
            .into_iter()
            .map(|(method, path)| (method, format!("{prefix}{path}"))),
    );
    operations
}
