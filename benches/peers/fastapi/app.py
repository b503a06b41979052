"""The endpoints that the `rest` benchmark measures, as a good FastAPI developer writes them."""

import asyncio
import base64
import binascii
import hashlib
import json
import os
import re
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Depends, FastAPI, Header, HTTPException, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import (
    JSON, DateTime, Float, ForeignKey, Index, Integer, String, Text, TypeDecorator, Uuid,
    column, event, func, insert, literal, literal_column, select, table, text, tuple_,
)
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

DATABASE_URL = os.environ["DATABASE_URL"]
ON_SQLITE = DATABASE_URL.startswith("sqlite")
CHECKS_KEYS = os.environ.get("PEER_AUTH", "on") != "off"

# On SQLite each connection is a thread. Short runs with 3, 5, 8 and 16 a worker showed no difference beyond noise.
POOL_SIZE = int(os.environ.get("PEER_POOL", "5" if ON_SQLITE else "16"))

sqlite_writer = asyncio.Lock()
engine = create_async_engine(DATABASE_URL, pool_size=POOL_SIZE, max_overflow=0)
Session = async_sessionmaker(engine, expire_on_commit=False)

if ON_SQLITE:

    @event.listens_for(engine.sync_engine, "connect")
    def set_pragmas(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=10000", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()


class UtcDateTime(TypeDecorator[datetime]):
    """SQLite forgets the zone; every stored time is UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


Json = JSON().with_variant(JSONB(), "postgresql")


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    email: Mapped[str] = mapped_column(String, unique=True)
    role: Mapped[str] = mapped_column(String)


class ApiKey(Base):
    __tablename__ = "api_keys"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    key_hash: Mapped[str] = mapped_column(String(64), unique=True)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Resource(Base):
    __tablename__ = "resources"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    title: Mapped[str] = mapped_column(Text)
    description: Mapped[str | None] = mapped_column(Text)
    creator: Mapped[str | None] = mapped_column(Text)
    publisher: Mapped[str | None] = mapped_column(Text)
    contributor: Mapped[str | None] = mapped_column(Text)
    date: Mapped[str | None] = mapped_column(Text)
    type: Mapped[str | None] = mapped_column(Text)
    format: Mapped[str | None] = mapped_column(Text)
    identifier: Mapped[str | None] = mapped_column(Text)
    source: Mapped[str | None] = mapped_column(Text)
    language: Mapped[str | None] = mapped_column(Text)
    relation: Mapped[list[str]] = mapped_column(Json)
    coverage: Mapped[str | None] = mapped_column(Text)
    rights: Mapped[str | None] = mapped_column(Text)
    subject: Mapped[list[str]] = mapped_column(Json)
    classification_code: Mapped[str | None] = mapped_column(Text)
    read_status: Mapped[str] = mapped_column(String)
    quality_score: Mapped[float | None] = mapped_column(Float)
    metadata_: Mapped[dict[str, Any]] = mapped_column("metadata", Json)
    version: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)

    __table_args__ = (
        Index("ix_resources_created_at", "created_at", "id"),
        Index("ix_resources_title", "title", "id"),
        Index("ix_resources_language_created_at", "language", "created_at", "id"),
        Index("ix_resources_identifier", "identifier", unique=True),
        Index("ix_resources_source_title", "source", "title"),
    )


SEARCH_SCHEMA = (
    [
        "CREATE VIRTUAL TABLE resources_search USING fts5"
        "(id UNINDEXED, title, description, creator, subject, tokenize = 'porter unicode61 remove_diacritics 2')",
    ]
    if ON_SQLITE
    else [
        "ALTER TABLE resources ADD COLUMN search tsvector GENERATED ALWAYS AS ("
        "setweight(to_tsvector('english', title), 'A') || "
        "to_tsvector('english', coalesce(description, '') || ' ' || coalesce(creator, '')) || "
        "to_tsvector('english', subject)) STORED",
        "CREATE INDEX ix_resources_search ON resources USING gin (search)",
        "CREATE INDEX ix_resources_metadata ON resources USING gin (metadata jsonb_path_ops)",
        "CREATE INDEX ix_resources_subject ON resources USING gin (subject jsonb_path_ops)",
    ]
)

search_table = table("resources_search", column("id", Uuid), column("title"), column("description"),
                     column("creator"), column("subject"), column("rank", Float))
search_column = literal_column("resources.search", TSVECTOR)


def uuid7() -> UUID:
    bits = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    return UUID(int=bits & ~(0xF000 << 64) & ~(0xC000 << 48) | 0x7000 << 64 | 0x8000 << 48)


class ResourceIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    title: str = Field(min_length=1)
    description: str | None = None
    creator: str | None = None
    publisher: str | None = None
    contributor: str | None = None
    date: str | None = None
    type: str | None = None
    format: str | None = None
    identifier: str | None = None
    source: str | None = None
    language: str | None = None
    relation: list[str] = []
    coverage: str | None = None
    rights: str | None = None
    subject: list[str] = []
    classification_code: str | None = None
    read_status: Literal["unread", "reading", "read"] = "unread"
    quality_score: float | None = None
    metadata: dict[str, Any] = {}


class ResourceOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    title: str
    description: str | None
    creator: str | None
    publisher: str | None
    contributor: str | None
    date: str | None
    type: str | None
    format: str | None
    identifier: str | None
    source: str | None
    language: str | None
    relation: list[str]
    coverage: str | None
    rights: str | None
    subject: list[str]
    classification_code: str | None
    read_status: str
    quality_score: float | None
    metadata: dict[str, Any] = Field(validation_alias="metadata_")
    version: int
    created_at: datetime
    updated_at: datetime


class ResourcePage(BaseModel):
    items: list[ResourceOut]
    next_cursor: str | None


class SearchHit(BaseModel):
    kind: Literal["resource"] = "resource"
    id: UUID
    score: float
    highlights: dict[str, str]
    resource: ResourceOut


class SearchPage(BaseModel):
    items: list[SearchHit]
    total: int
    query: dict[str, Any]
    next_cursor: str | None


def new_resource(body: ResourceIn, now: datetime) -> Resource:
    fields = body.model_dump()
    return Resource(id=uuid7(), metadata_=fields.pop("metadata"), version=1, created_at=now, updated_at=now, **fields)


def search_row(resource: Resource) -> dict[str, Any]:
    return {"id": resource.id, "title": resource.title, "description": resource.description,
            "creator": resource.creator, "subject": " ".join(resource.subject)}


async def open_session() -> AsyncIterator[AsyncSession]:
    async with Session() as session:
        yield session


SessionDep = Annotated[AsyncSession, Depends(open_session)]


async def require_key(session: SessionDep, authorization: Annotated[str | None, Header()] = None) -> str:
    """The caller's role."""
    if not CHECKS_KEYS:
        return "admin"
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise HTTPException(401, "a bearer key is required")
    digest = hashlib.sha256(token.encode()).hexdigest()
    found = (await session.execute(
        select(User.role, ApiKey.expires_at, ApiKey.revoked_at)
        .join(ApiKey, ApiKey.user_id == User.id).where(ApiKey.key_hash == digest)
    )).one_or_none()
    if found is None or found.revoked_at or (found.expires_at and found.expires_at <= datetime.now(UTC)):
        raise HTTPException(401, "the key is unknown, revoked or expired")
    return found.role


RoleDep = Annotated[str, Depends(require_key)]


async def require_editor(role: RoleDep) -> None:
    if role not in ("editor", "admin"):
        raise HTTPException(403, "an editor's key is required")


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    yield
    await engine.dispose()


app = FastAPI(title="Pharos peer", lifespan=lifespan)


@app.get("/livez")
async def livez() -> dict[str, str]:
    return {"status": "ok"}


@app.get("/api/v1/resources/{resource_id}")
async def read_resource(resource_id: UUID, session: SessionDep, _role: RoleDep, response: Response) -> ResourceOut:
    resource = await session.get(Resource, resource_id)
    if resource is None:
        raise HTTPException(404, "no such resource")
    response.headers["ETag"] = f'"{resource.version}"'
    return ResourceOut.model_validate(resource)


LANGUAGE_FILTER = re.compile(r'\s*language\s*=\s*"([^"\\]*)"\s*')
SORTS = {"-created_at": (Resource.created_at, True), "title": (Resource.title, False)}


def encode_cursor(resource: Resource, sort: str) -> str:
    value = resource.title if sort == "title" else resource.created_at.isoformat()
    return base64.urlsafe_b64encode(json.dumps([sort, value, resource.id.hex]).encode()).decode().rstrip("=")


def decode_cursor(cursor: str, sort: str) -> tuple[Any, UUID]:
    try:
        bound, value, last = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if bound != sort:
            raise ValueError
        return (value if sort == "title" else datetime.fromisoformat(value)), UUID(last)
    except (ValueError, TypeError, binascii.Error):
        raise HTTPException(400, "bad cursor") from None


@app.get("/api/v1/resources")
async def list_resources(
    request: Request, response: Response, session: SessionDep, _role: RoleDep,
    limit: Annotated[int, Query(ge=1, le=200)] = 25,
    filter: str | None = None,
    sort: Literal["-created_at", "title"] = "-created_at",
    cursor: str | None = None,
) -> ResourcePage:
    key, descending = SORTS[sort]
    order = (key.desc(), Resource.id.desc()) if descending else (key, Resource.id)
    statement = select(Resource).order_by(*order).limit(limit + 1)
    if filter is not None:
        match = LANGUAGE_FILTER.fullmatch(filter)
        if match is None:
            raise HTTPException(400, "filter must be: language = \"…\"")
        statement = statement.where(Resource.language == match[1])
    if cursor is not None:
        value, last = decode_cursor(cursor, sort)
        here, after = tuple_(key, Resource.id), tuple_(literal(value, key.type), literal(last, Uuid))
        statement = statement.where(here < after if descending else here > after)
    resources = (await session.scalars(statement)).all()
    next_cursor = encode_cursor(resources[limit - 1], sort) if len(resources) > limit else None
    if next_cursor is not None:
        following = request.url.include_query_params(cursor=next_cursor)
        response.headers["Link"] = f'<{following}>; rel="next"'
    return ResourcePage(items=[ResourceOut.model_validate(r) for r in resources[:limit]], next_cursor=next_cursor)


def sqlite_search(words: list[str], limit: int) -> tuple[Any, Any]:
    matches = text("resources_search MATCH :words").bindparams(words=" OR ".join(f'"{word}"' for word in words))
    marked = func.highlight(literal_column("resources_search"), 1, "<mark>", "</mark>")
    hits = (
        select(Resource, (-search_table.c.rank).label("score"), marked.label("marked"))
        .select_from(search_table).join(Resource, Resource.id == search_table.c.id)
        .where(matches).order_by(search_table.c.rank).limit(limit)
    )
    return hits, select(func.count()).select_from(search_table).where(matches)


def postgres_search(words: list[str], limit: int) -> tuple[Any, Any]:
    english = literal_column("'english'::regconfig")
    query = func.to_tsquery(english, " | ".join(words))
    # Headlines are dear: only the rows that are shown get one.
    best = (
        select(Resource.id, func.ts_rank(search_column, query).label("score"))
        .where(search_column.bool_op("@@")(query)).order_by(text("score DESC"), Resource.id).limit(limit).subquery()
    )
    marked = func.ts_headline(english, Resource.title, query,
                              "StartSel=<mark>, StopSel=</mark>, HighlightAll=true")
    hits = (
        select(Resource, best.c.score, marked.label("marked"))
        .join(best, best.c.id == Resource.id).order_by(best.c.score.desc(), Resource.id)
    )
    total = select(func.count()).select_from(Resource).where(search_column.bool_op("@@")(query))
    return hits, total


@app.get("/api/v1/search")
async def search(
    q: str, session: SessionDep, _role: RoleDep, limit: Annotated[int, Query(ge=1, le=200)] = 25,
) -> SearchPage:
    words = re.findall(r"\w+", q)
    if not words:
        return SearchPage(items=[], total=0, query={"words": []}, next_cursor=None)
    hits, total = (sqlite_search if ON_SQLITE else postgres_search)(words, limit)
    found = (await session.execute(hits)).all()
    count = await session.scalar(total)
    items = [
        SearchHit(id=resource.id, score=score, highlights={"title": marked},
                  resource=ResourceOut.model_validate(resource))
        for resource, score, marked in found
    ]
    return SearchPage(items=items, total=count or 0, query={"words": words}, next_cursor=None)


@app.post("/api/v1/resources", status_code=201, dependencies=[Depends(require_editor)])
async def create_resource(body: ResourceIn, session: SessionDep, response: Response) -> ResourceOut:
    resource = new_resource(body, datetime.now(UTC))
    session.add(resource)
    if ON_SQLITE:
        # SQLite has one writer: waiting here costs less than waiting in its busy handler, which sleeps.
        async with sqlite_writer:
            await session.flush()
            await session.execute(insert(search_table), search_row(resource))
            await session.commit()
    else:
        # The search row is the generated column.
        await session.commit()
    response.headers["ETag"] = f'"{resource.version}"'
    response.headers["Location"] = f"/api/v1/resources/{resource.id}"
    return ResourceOut.model_validate(resource)
