//! JSON Patches (RFC 6902): what each may do follows from the members of the merge patch for the same thing.

use serde_json::json;
use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::{
    AnyOfBuilder, ArrayBuilder, ArrayItems, Object, ObjectBuilder, SchemaType, Type,
};
use utoipa::openapi::{Components, Content, Ref, RefOr, Schema};

const MERGE_PATCH: &str = "application/merge-patch+json";
/// The name of the component with the operations that have a value.
const SETTING: &str = "JsonPatchSetting";
const JSON_PATCH: &str = "application/json-patch+json";

/// Describes the JSON Patch that a PATCH takes as a component: `ResourcePatch` gives `ResourceJsonPatch`.
pub fn describe(operation: &mut Operation, components: &mut Components) {
    let Some(RefOr::T(body)) = &mut operation.request_body else {
        return;
    };
    let Some(name) = referred(body.content.get(MERGE_PATCH)) else {
        return;
    };
    let Some(RefOr::T(content)) = body.content.get_mut(JSON_PATCH) else {
        return;
    };
    let Some(RefOr::T(Schema::Object(merge_patch))) = components.schemas.get(&name) else {
        return;
    };
    let thing = name.trim_start_matches("New").trim_end_matches("Patch");
    let schema = json_patch(thing, merge_patch, components);
    let setting = ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some("Operations of a JSON Patch that have a value."))
        .enum_values(Some(["add", "replace", "test"]));
    components.schemas.insert(
        SETTING.to_owned(),
        RefOr::T(Schema::Object(setting.build())),
    );
    let name = format!("{thing}JsonPatch");
    content.schema = Some(RefOr::Ref(Ref::from_schema_name(&name)));
    components.schemas.insert(name, schema);
}

/// The name of the component that a body refers to.
fn referred(content: Option<&RefOr<Content>>) -> Option<String> {
    let Some(RefOr::T(content)) = content else {
        return None;
    };
    match &content.schema {
        Some(RefOr::Ref(reference)) => reference.ref_location.rsplit('/').next().map(str::to_owned),
        _ => None,
    }
}

fn json_patch(thing: &str, merge_patch: &Object, components: &Components) -> RefOr<Schema> {
    let (mut operations, mut removable) = (AnyOfBuilder::new(), Vec::new());
    for (name, member) in &merge_patch.properties {
        let path = pattern(format!("^/{name}$"));
        let title = format!("Change{thing}{}", in_camel_case(name));
        operations = operations.item(change(path, member.clone()).title(Some(&title)));
        let mut removable_path = format!("/{name}");
        match member {
            RefOr::T(Schema::Array(array)) => {
                // An entry of the list, or its end.
                let entry = pattern(format!("^/{name}/(-|0|[1-9][0-9]{{0,2}})$"));
                if let ArrayItems::RefOrSchema(items) = &array.items {
                    let change = change(entry, (**items).clone());
                    operations = operations.item(change.title(Some(format!("{title}Entry"))));
                }
                removable_path = format!("/{name}(/(0|[1-9][0-9]{{0,2}}))?");
            }
            member if is_free_object(member, components) => {
                let inside = pattern(format!("^/{name}(/([^~/\\u0000]|~[01])+)+$"));
                let anything = ObjectBuilder::new().schema_type(SchemaType::AnyValue);
                let anything = RefOr::T(Schema::Object(anything.build()));
                let change = change(inside, anything);
                operations = operations.item(change.title(Some(format!("{title}Member"))));
                removable_path = format!("/{name}(/([^~/\\u0000]|~[01])+)*");
            }
            _ => {}
        }
        if is_nullable(member) {
            removable.push(removable_path);
        }
    }
    let removal = ObjectBuilder::new()
        .title(Some(format!("RemoveOf{thing}")))
        .property(
            "op",
            ObjectBuilder::new()
                .schema_type(Type::String)
                .enum_values(Some(["remove"])),
        )
        .property("path", pattern(format!("^({})$", removable.join("|"))))
        .required("op")
        .required("path");
    let schema = ArrayBuilder::new()
        .description(Some("A JSON Patch (RFC 6902): operations that are done one after the other, all or none. 409 when one does not fit what is stored."))
        .items(operations.item(removal))
        .max_items(Some(1_000))
        .examples([json!([])]);
    RefOr::T(Schema::Array(schema.build()))
}

/// `read_status` as `ReadStatus`.
fn in_camel_case(name: &str) -> String {
    let words = name.split('_').filter_map(|word| word.split_at_checked(1));
    words
        .map(|(first, rest)| first.to_ascii_uppercase() + rest)
        .collect()
}

/// Whether a member is any JSON object: a component with members of any name, or null.
fn is_free_object(member: &RefOr<Schema>, components: &Components) -> bool {
    let RefOr::T(Schema::OneOf(choice)) = member else {
        return false;
    };
    choice.items.iter().any(|item| {
        let RefOr::Ref(reference) = item else {
            return false;
        };
        let name = reference.ref_location.rsplit('/').next().unwrap_or_default();
        matches!(
            components.schemas.get(name),
            Some(RefOr::T(Schema::Object(object))) if object.additional_properties.is_some() && object.properties.is_empty()
        )
    })
}

fn pattern(pattern: String) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some(pattern))
}

fn change(path: ObjectBuilder, value: RefOr<Schema>) -> ObjectBuilder {
    ObjectBuilder::new()
        .property("op", Ref::from_schema_name(SETTING))
        .property("path", path)
        .property("value", value)
        .required("op")
        .required("path")
        .required("value")
}

fn is_a(found: &SchemaType, kind: &Type) -> bool {
    match found {
        SchemaType::Type(found) => found == kind,
        SchemaType::Array(kinds) => kinds.contains(kind),
        SchemaType::AnyValue => false,
    }
}

fn is_nullable(member: &RefOr<Schema>) -> bool {
    let null = |schema: &Schema| match schema {
        Schema::Object(object) => is_a(&object.schema_type, &Type::Null),
        Schema::Array(array) => is_a(&array.schema_type, &Type::Null),
        _ => false,
    };
    let among = |items: &[RefOr<Schema>]| {
        items
            .iter()
            .any(|item| matches!(item, RefOr::T(schema) if null(schema)))
    };
    match member {
        RefOr::Ref(_) => false,
        RefOr::T(Schema::OneOf(choice)) => among(&choice.items),
        RefOr::T(Schema::AnyOf(choice)) => among(&choice.items),
        RefOr::T(schema) => null(schema),
    }
}
