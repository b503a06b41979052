"""What no schema can say of the API: its media type of lines, its filters, and values that are good at one time only.

Nothing is left out here. A value that Schemathesis made is replaced in requests that are meant to be good, and only where a
good value depends on what was answered before: a cursor comes from the page before, an Idempotency-Key belongs to one
request, a key expires in the future; or where no schema can say it: JSON of any form has no U+0000 in it, a passage ends
behind its start, a citation cites something, and the routes that the monitoring reports (`/api/v1/resources/{id}`) are no places to take an id from.
"""

import json
import os
import subprocess
import uuid

import requests
import schemathesis
from schemathesis import openapi
from schemathesis.transport.serialization import Binary

import filters
import lines

ADDRESS = os.environ["PHAROS_ADDRESS"]
PROGRAM = os.environ["PHAROS_TEST_BINARY"]


# --- Who asks ----------------------------------------------------------------------------------------------------


class Administrator:
    """An administrator's key. Requests may disable the user or revoke the key: then there is another one."""

    def __init__(self):
        self.key = None
        self.in_doubt = True

    def is_good(self):
        if self.key is None:
            return False
        reply = requests.get(f"{ADDRESS}/api/v1/me", headers=bearer(self.key), timeout=30)
        if reply.status_code != 200:
            return False
        me = reply.json()
        return me["role"] == "admin" and me["scopes"] is None

    def current(self):
        if self.in_doubt and not self.is_good():
            email = f"{uuid.uuid4()}@example.org"
            run_program("user", "create", email, "--role", "admin")
            self.key = run_program("key", "create", email, "--quiet")
        self.in_doubt = False
        return self.key


def bearer(key):
    return {"Authorization": f"Bearer {key}"}


def run_program(*arguments):
    done = subprocess.run([PROGRAM, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


ADMINISTRATOR = Administrator()


@schemathesis.auth(refresh_interval=None)
class Authorization:
    def get(self, case, context):
        return ADMINISTRATOR.current()

    def set(self, case, key, context):
        case.headers = {**(case.headers or {}), **bearer(key)}


@schemathesis.hook
def after_call(context, case, response):
    if response.status_code in (401, 403):
        ADMINISTRATOR.in_doubt = True


# --- What is sent ------------------------------------------------------------------------------------------------


NDJSON = "application/x-ndjson"

openapi.media_type(NDJSON, lines.LINES)


@schemathesis.serializer(NDJSON, "text/csv")
def serialize_lines(context, value):
    """As it is; what was made by the schema alone is no lines but JSON."""
    if isinstance(value, Binary):
        value = value.data
    return value if isinstance(value, bytes) else as_text(value).encode(errors="ignore")


def as_text(value):
    return value if isinstance(value, str) else json.dumps(value)


@schemathesis.hook
def before_load_schema(context, raw_schema):
    """Each list has its own fields, and so a format of filters of its own."""
    for methods in raw_schema["paths"].values():
        for operation in methods.values():
            # Where lines are generated as bytes, an example has to be bytes, too.
            content = operation.get("requestBody", {}).get("content", {}).get(NDJSON, {})
            if "example" in content:
                content["example"] = content["example"].encode()
            for parameter in operation.get("parameters", []):
                fields = parameter.get("x-filter-fields")
                if fields is not None:
                    name = f"{filters.FORMAT}-{operation['operationId']}"
                    openapi.format(name, filters.filters(fields))
                    parameter["schema"]["format"] = name
                    if operation["operationId"] == "list_resources":
                        openapi.format(filters.FORMAT, filters.filters(fields))


USED_KEYS = {}


@schemathesis.hook
def before_call(context, case, kwargs):
    is_meant_to_be_good = case.meta is not None and case.meta.generation.mode.is_positive
    if is_meant_to_be_good:
        give_path(case)
        give_cursor(case)
        give_expiry(case)
        give_text(case)
        give_passage(case)
        give_target(case)
    note_idempotency_key(case, is_meant_to_be_good)


def give_path(case):
    """An id where Schemathesis took the name of the parameter out of a route that was answered."""
    for name, value in (case.path_parameters or {}).items():
        if value == f"{{{name}}}":
            case.path_parameters = {**case.path_parameters, name: str(uuid.uuid4())}


def give_text(case):
    """A case that is assigned to is judged anew, so only where something changes."""
    if isinstance(case.body, (dict, list)):
        text = without_nul(case.body)
        if text != case.body:
            case.body = text


def without_nul(value):
    if isinstance(value, str):
        return value.replace("\0", "")
    if isinstance(value, list):
        return [without_nul(item) for item in value]
    if isinstance(value, dict):
        return {without_nul(name): without_nul(member) for name, member in value.items()}
    return value


def operation_of(case):
    return case.operation.definition.raw.get("operationId")


def give_passage(case):
    """An end behind the start: no schema can compare two members."""
    body = case.body
    if operation_of(case) not in ("create_annotation", "patch_annotation") or not isinstance(body, dict):
        return
    start, end = body.get("start"), body.get("end")
    if isinstance(start, (int, float)) and isinstance(end, (int, float)) and not 1 <= end - start <= 10_000:
        start = min(start, 999_999)
        case.body = {**body, "start": start, "end": start + 1}


def give_target(case):
    """Something that is cited, whatever is stored, and not the resource itself."""
    body = case.body
    if operation_of(case) not in ("create_citation", "patch_citation"):
        return
    if isinstance(body, list) and len(body) < 1_000:
        case.body = [*body, {"op": "add", "path": "/raw_text", "value": "A book"}]
    elif isinstance(body, dict):
        if not (body.get("raw_text") or "").strip():
            body = {**body, "raw_text": "A book"}
        if body.get("cited_id") == (case.path_parameters or {}).get("id"):
            body = {name: member for name, member in body.items() if name != "cited_id"}
        case.body = body


def give_cursor(case):
    """The cursor of the page before, where there is one: one is good only for the request that it came from."""
    if not case.query or "cursor" not in case.query:
        return
    query = {name: value for name, value in case.query.items() if name != "cursor"}
    reply = requests.get(
        f"{ADDRESS}{case.formatted_path}",
        params={**as_sent(query), "limit": 1},
        headers=bearer(ADMINISTRATOR.current()),
        timeout=30,
    )
    cursor = reply.json().get("next_cursor") if reply.status_code == 200 else None
    case.query = query if cursor is None else {**query, "cursor": cursor}


def as_sent(query):
    return {name: str(value).lower() if isinstance(value, bool) else value for name, value in query.items()}


def note_idempotency_key(case, is_meant_to_be_good):
    """Another key when this one was used for another request, be that one good or not."""
    key = (case.headers or {}).get("Idempotency-Key")
    if not isinstance(key, str):
        return
    request = json.dumps([case.formatted_path, case.query, case.media_type, case.body], default=repr)
    if USED_KEYS.setdefault(key.strip('"'), request) != request and is_meant_to_be_good:
        case.headers = {**case.headers, "Idempotency-Key": f'"{uuid.uuid4()}"'}


def give_expiry(case):
    """A time that has not passed yet."""
    if operation_of(case) != "create_key" or not isinstance(case.body, dict):
        return
    if case.body.get("expires_at") is not None:
        case.body = {**case.body, "expires_at": "2999-12-31T23:59:59Z"}
