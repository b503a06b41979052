"""Makes the peer's schema, loads catalogue files (.csv, .ndjson) and prints an admin's API key."""

import asyncio
import csv
import hashlib
import json
import secrets
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from sqlalchemy import insert, text

from app import (
    ON_SQLITE, SEARCH_SCHEMA, ApiKey, Base, ResourceIn, Session, User, engine, new_resource, search_row, search_table,
    uuid7,
)

BATCH = 1000


def read_rows(path: str) -> Iterator[dict[str, Any]]:
    with open(path, encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file) if path.endswith(".csv") else (json.loads(line) for line in file if line.strip())
        yield from rows


def to_body(row: dict[str, Any]) -> ResourceIn:
    """Columns that are no field of a resource become its metadata, as in `pharos import`."""
    fields: dict[str, Any] = {"metadata": dict(row.pop("metadata", None) or {})}
    for name, value in row.items():
        if value is None or value == "":
            continue
        if name not in ResourceIn.model_fields:
            fields["metadata"][name] = value
        elif name in ("subject", "relation") and isinstance(value, str):
            fields[name] = value.split("|")
        else:
            fields[name] = value
    return ResourceIn(**fields)


async def load_file(path: str) -> int:
    rows, loaded = read_rows(path), 0
    while batch := list(islice(rows, BATCH)):
        resources = [new_resource(to_body(row), datetime.now(UTC)) for row in batch]
        async with Session.begin() as session:
            search_rows = [search_row(resource) for resource in resources]
            session.add_all(resources)
            await session.flush()
            if ON_SQLITE:
                await session.execute(insert(search_table), search_rows)
        loaded += len(resources)
    return loaded


async def make_key() -> str:
    key = f"ph_{secrets.token_urlsafe(32)}"
    async with Session.begin() as session:
        user = User(id=uuid7(), email="bench@example.org", role="admin")
        session.add(user)
        await session.flush()
        session.add(ApiKey(id=uuid7(), user_id=user.id, key_hash=hashlib.sha256(key.encode()).hexdigest()))
    return key


async def main(paths: list[str]) -> None:
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
        for statement in SEARCH_SCHEMA:
            await connection.execute(text(statement))
    for path in paths:
        print(f"{path}: {await load_file(path)} rows", file=sys.stderr)
    async with engine.begin() as connection:
        await connection.execute(text("ANALYZE"))
    print(await make_key())
    await engine.dispose()


asyncio.run(main(sys.argv[1:]))
