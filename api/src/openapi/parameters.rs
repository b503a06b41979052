//! Parameters that many operations share, described once: conditional headers, and those of lists.

use service::lists::{DESCRIBED_LISTS, DescribedList};
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{RefOr, Schema};

/// `*`, or ETags with commas between.
const IF_MATCH: &str = r#"^(\*|(W/)?"[!#-~]*"( *, *(W/)?"[!#-~]*")*)$"#;

/// What a filter is written in; `x-filter-fields` has the fields and what they hold.
const FILTER_FORMAT: &str = "aip-160-filter";

/// At least a signature of 16 bytes and a position.
const CURSOR: &str = "^[A-Za-z0-9_-]{24,}$";

/// Describes what the parameters of an operation may be.
pub fn describe(operation: &mut Operation) {
    let list = DESCRIBED_LISTS
        .iter()
        .find(|list| operation.operation_id.as_deref() == Some(list.operation));
    for parameter in operation.parameters.iter_mut().flatten() {
        let RefOr::T(parameter) = parameter else {
            continue;
        };
        match (parameter.name.as_str(), list) {
            ("If-Match", _) => describe_if_match(parameter),
            ("cursor", _) => set_schema(parameter, text().pattern(Some(CURSOR))),
            ("filter", Some(list)) => describe_filter(parameter, list),
            ("sort", Some(list)) => {
                set_schema(parameter, text().pattern(Some(sort_pattern(list))));
            }
            _ => {}
        }
    }
}

/// What may be answered 304 takes an `If-None-Match`. Whatever does not name the tag is passed over.
pub fn add_if_none_match(operation: &mut Operation) {
    if !operation.responses.responses.contains_key("304") {
        return;
    }
    let parameter = ParameterBuilder::new()
        .name("If-None-Match")
        .parameter_in(ParameterIn::Header)
        .description(Some("ETags that the caller knows, with commas between, or `*`: the answer is 304 when the current one is among them."))
        .schema(Some(text()))
        .example(Some(serde_json::json!("\"1\"")))
        .build();
    operation
        .parameters
        .get_or_insert_default()
        .push(RefOr::T(parameter));
}

/// A POST takes an `Idempotency-Key`.
pub fn add_idempotency_key(operation: &mut Operation) {
    let schema = text()
        .min_length(Some(1))
        .max_length(Some(257))
        .pattern(Some("^(\"[!#-~]{1,255}\"|[!#-~]{1,255})$"));
    let parameter = ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .description(Some("Makes the request safe to repeat: it has one effect, and the same reply for 24 hours. 409 while the first one is under way, 422 when the key was used for another request."))
        .schema(Some(schema))
        .example(Some(serde_json::json!("\"8e03978e-40d5-43dd-bc93-6894a57f9324\"")))
        .build();
    operation
        .parameters
        .get_or_insert_default()
        .push(RefOr::T(parameter));
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

fn set_schema(parameter: &mut Parameter, schema: ObjectBuilder) {
    parameter.schema = Some(RefOr::T(Schema::Object(schema.build())));
}

fn describe_if_match(parameter: &mut Parameter) {
    let schema = text().pattern(Some(IF_MATCH));
    set_schema(parameter, schema.examples([serde_json::json!("*")]));
}

fn describe_filter(parameter: &mut Parameter, list: &DescribedList) {
    let format = SchemaFormat::Custom(FILTER_FORMAT.to_owned());
    set_schema(
        parameter,
        text().format(Some(format)).max_length(Some(8_000)),
    );
    let fields = list.filterable().into_iter();
    let fields: serde_json::Map<_, _> = fields
        .map(|(name, holds)| (name.to_owned(), holds.into()))
        .collect();
    let extensions = ExtensionsBuilder::new().add("x-filter-fields", fields);
    parameter.extensions = Some(extensions.build());
}

/// Nothing, or up to five of the fields, none of them twice, each perhaps with `-` before it.
fn sort_pattern(list: &DescribedList) -> String {
    let fields = list.sortable().join("|");
    let no_twice = r"(?!(.*,)?-?(\w+)(,.*)?,-?\3(,|$))";
    format!("^({no_twice}-?({fields})(,-?({fields})){{0,4}})?$")
}
