//! Paths that name something other than one id.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use percent_encoding::percent_decode_str;
use service::authorities::AuthorityFile;
use uuid::Uuid;

use crate::problem::Problem;

fn segment<'r>(request: &'r HttpRequest, name: &str) -> &'r str {
    request.match_info().get(name).unwrap_or_default()
}

fn id(request: &HttpRequest, name: &'static str) -> Result<Uuid, Problem> {
    let text = segment(request, name);
    Uuid::try_parse(text).map_err(|_| {
        let shortened: String = text.chars().take(40).collect();
        Problem::parameter(
            name,
            "format",
            format!("expected an id (UUID), found `{shortened}`"),
        )
    })
}

/// The id in `{id}` and the one in `{node_id}`.
pub struct PathIds(pub Uuid, pub Uuid);

impl FromRequest for PathIds {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready((|| Ok(Self(id(request, "id")?, id(request, "node_id")?)))())
    }
}

/// The code in `{code}`, decoded.
pub struct PathCode(pub String);

impl FromRequest for PathCode {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        // The server has left %25, %2B and %2F encoded.
        let decoded = percent_decode_str(segment(request, "code")).decode_utf8();
        ready(
            decoded
                .map(|code| Self(code.into_owned()))
                .map_err(|_| Problem::parameter("code", "format", "the code is not UTF-8")),
        )
    }
}

/// The authority file in `{file}`; 404 when there is no such one.
pub struct PathFile(pub AuthorityFile);

impl FromRequest for PathFile {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let file = segment(request, "file").parse();
        ready(file.map(Self).map_err(Problem::from))
    }
}
