"""Filters (AIP-160) over the fields that the document names in `x-filter-fields`."""

from hypothesis import strategies as st

FORMAT = "aip-160-filter"

WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


TEXTS = WORDS.map(quoted)
INTEGERS = st.integers(-(2**63), 2**63 - 1).map(str)
NUMBERS = st.one_of(INTEGERS, st.floats(-1e9, 1e9).map(lambda number: f"{number:.6f}"))
TIMES = st.dates().map(lambda day: quoted(f"{day.isoformat()}T00:00:00Z"))
COMPARISONS = st.sampled_from([" = ", " != ", " < ", " <= ", " > ", " >= "])
EQUALITY = st.sampled_from([" = ", " != "])


def joined(*parts):
    return st.tuples(*parts).map("".join)


def restrictions(name, holds):
    """What may be asked of a field, by what it holds."""
    field = st.just(name)
    exists = st.just(f"{name}:*")
    if holds == "text":
        return st.one_of(exists, joined(field, COMPARISONS, TEXTS), joined(field, st.just(":"), TEXTS))
    if holds == "integer":
        return st.one_of(exists, joined(field, COMPARISONS, INTEGERS))
    if holds == "number":
        return st.one_of(exists, joined(field, COMPARISONS, NUMBERS))
    if holds == "boolean":
        return st.one_of(exists, joined(field, EQUALITY, st.sampled_from(["true", "false"])))
    if holds == "time":
        return st.one_of(exists, joined(field, COMPARISONS, TIMES))
    if holds == "id":
        return joined(field, EQUALITY, st.uuids().map(str).map(quoted))
    if holds == "list":
        return st.one_of(exists, joined(field, st.just(":"), TEXTS))
    if holds == "json":
        key = joined(field, st.just("."), TEXTS)
        value = st.one_of(NUMBERS, TEXTS, st.sampled_from(["true", "false", "null"]))
        return st.one_of(exists, joined(key, EQUALITY, value), key.map(lambda path: f"{path}:*"))
    if holds == "related":
        return st.one_of(exists, joined(field, st.sampled_from([":", " = ", " != "]), TEXTS))
    raise ValueError(f"{name} holds {holds}, of which nothing is known")


def filters(fields):
    """Filters over these fields."""
    one = st.one_of([restrictions(name, holds) for name, holds in sorted(fields.items())])
    return st.recursive(
        one,
        lambda inner: st.one_of(
            inner.map(lambda part: f"NOT ({part})"),
            st.tuples(inner, st.sampled_from([" AND ", " OR "]), inner).map(lambda parts: f"({''.join(parts)})"),
        ),
        max_leaves=4,
    )
