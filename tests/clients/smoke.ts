// Uses the client that openapi-typescript and openapi-fetch make of the document: scripts/clients compiles and runs it.
import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import type { components, paths } from "./pharos.js";

const client = createClient<paths>({
  baseUrl: process.env["PHAROS_ADDRESS"] ?? "",
  headers: { Authorization: `Bearer ${process.env["PHAROS_KEY"]}` },
});

// Create, with a repetition that has no second effect.
const fields: components["schemas"]["NewResource"] = {
  title: "The Art of Computer Programming",
  subject: ["Algorithms"],
  metadata: { pages: 650 },
  read_status: "reading",
};
const header = { "Idempotency-Key": `"${crypto.randomUUID()}"` };
const created = await client.POST("/api/v1/resources", { params: { header }, body: fields });
const repeated = await client.POST("/api/v1/resources", { params: { header }, body: fields });
assert.ok(created.data && repeated.data);
assert.equal(created.response.status, 201);
assert.equal(created.data.id, repeated.data.id);
const path = { id: created.data.id };

// Read.
const read = await client.GET("/api/v1/resources/{id}", { params: { path } });
assert.deepEqual(read.data, created.data);
const etag = read.response.headers.get("ETag") ?? "";

// Change what was read, and not what has changed since.
const patch = { title: "Fundamental Algorithms" };
const patched = await client.PATCH("/api/v1/resources/{id}", {
  params: { path, header: { "If-Match": etag } },
  body: patch,
  headers: { "Content-Type": "application/merge-patch+json" },
});
assert.equal(patched.data?.title, patch.title);
assert.equal(patched.data?.version, 2);
const stale = await client.PATCH("/api/v1/resources/{id}", {
  params: { path, header: { "If-Match": etag } },
  body: patch,
  headers: { "Content-Type": "application/merge-patch+json" },
});
assert.equal(stale.response.status, 412);
const staleProblem: components["schemas"]["Problem"] | undefined = stale.error;
assert.equal(staleProblem?.code, "stale_version");

// List by a filter, page by page.
await client.POST("/api/v1/resources", { body: { title: "Sorting", subject: ["Algorithms"] } });
const titles: string[] = [];
let cursor: string | null = null;
do {
  const page: { data?: components["schemas"]["ResourceList"] } = await client.GET("/api/v1/resources", {
    params: { query: { filter: 'subject:"Algorithms"', sort: "title", limit: 1, ...(cursor === null ? {} : { cursor }) } },
  });
  assert.ok(page.data);
  titles.push(...page.data.items.map((item) => item.title));
  cursor = page.data.next_cursor;
} while (cursor !== null);
assert.deepEqual(titles, ["Fundamental Algorithms", "Sorting"]);

// Search.
const found = await client.GET("/api/v1/search", { params: { query: { q: "fundamental", facets: "subject" } } });
assert.equal(found.data?.total, 1);
assert.equal(found.data?.items[0]?.resource.id, path.id);
assert.equal(found.data?.facets["subject"]?.[0]?.count, 1);

// A problem document, typed as one.
const refused = await client.POST("/api/v1/resources", { body: { title: "" } });
const problem: components["schemas"]["Problem"] | undefined = refused.error;
assert.equal(refused.response.status, 422);
assert.equal(problem?.code, "invalid_body");
assert.equal(problem?.errors?.[0]?.pointer, "/title");

// Delete.
const deleted = await client.DELETE("/api/v1/resources/{id}", { params: { path, header: { "If-Match": '"2"' } } });
assert.equal(deleted.response.status, 204);
const gone = await client.GET("/api/v1/resources/{id}", { params: { path } });
assert.equal(gone.error?.status, 404);
