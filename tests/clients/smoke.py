"""Uses the client that openapi-python-client makes of the document: scripts/clients checks its types and runs it."""

import os
import uuid

from pharos_client import AuthenticatedClient
from pharos_client.api.resources import create_resource, delete_resource, find_resource, list_resources, patch_resource
from pharos_client.api.search import search_library
from pharos_client.models import (
    Metadata,
    NewResource,
    Problem,
    ReadStatus,
    Resource,
    ResourceList,
    ResourcePatch,
    SearchReply,
)
from pharos_client.types import UNSET

client = AuthenticatedClient(base_url=os.environ["PHAROS_ADDRESS"], token=os.environ["PHAROS_KEY"])

# Create, with a repetition that has no second effect.
metadata = Metadata()
metadata["pages"] = 650
fields = NewResource(
    title="The Art of Computer Programming",
    subject=["Informatics"],
    metadata=metadata,
    read_status=ReadStatus.READING,
)
key = f'"{uuid.uuid4()}"'
created = create_resource.sync_detailed(client=client, body=fields, idempotency_key=key)
repeated = create_resource.sync_detailed(client=client, body=fields, idempotency_key=key)
assert created.status_code == 201
assert isinstance(created.parsed, Resource) and isinstance(repeated.parsed, Resource)
assert created.parsed.id == repeated.parsed.id
resource_id = created.parsed.id

# Read.
read = find_resource.sync_detailed(resource_id, client=client)
assert isinstance(read.parsed, Resource)
assert read.parsed.to_dict() == created.parsed.to_dict()
etag = read.headers["ETag"]

# Change what was read, and not what has changed since.
patch = ResourcePatch(title="Fundamental Algorithms")
patched = patch_resource.sync_detailed(resource_id, client=client, body=patch, if_match=etag)
assert isinstance(patched.parsed, Resource), patched.content
assert (patched.parsed.title, patched.parsed.version) == ("Fundamental Algorithms", 2)
stale = patch_resource.sync_detailed(resource_id, client=client, body=patch, if_match=etag)
assert isinstance(stale.parsed, Problem)
assert (stale.parsed.status, stale.parsed.code) == (412, "stale_version")

# List by a filter, page by page.
create_resource.sync(client=client, body=NewResource(title="Sorting", subject=["Informatics"]))
titles: list[str] = []
cursor: str | None = None
while True:
    page = list_resources.sync(
        client=client, filter_='subject:"Informatics"', sort="title", limit=1, cursor=UNSET if cursor is None else cursor
    )
    assert isinstance(page, ResourceList), page
    titles.extend(item.title for item in page.items)
    cursor = page.next_cursor
    if cursor is None:
        break
assert titles == ["Fundamental Algorithms", "Sorting"], titles

# Search.
found = search_library.sync(client=client, q="fundamental", facets="subject")
assert isinstance(found, SearchReply)
assert (found.total, found.items[0].resource.id) == (1, resource_id)
assert found.facets["subject"][0].count == 1

# A problem document, typed as one.
refused = create_resource.sync(client=client, body=NewResource(title=""))
assert isinstance(refused, Problem)
assert (refused.status, refused.code) == (422, "invalid_body")
assert refused.errors and refused.errors[0].pointer == "/title"

# Delete.
deleted = delete_resource.sync_detailed(resource_id, client=client, if_match='"2"')
assert deleted.status_code == 204
gone = find_resource.sync(resource_id, client=client)
assert isinstance(gone, Problem) and gone.status == 404
