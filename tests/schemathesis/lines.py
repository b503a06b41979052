"""Bodies of lines: resources and classification codes, good and bad, and what is neither. Each line is answered for itself."""

import json

from hypothesis import strategies as st

WORDS = st.text(max_size=12)
RESOURCE = st.fixed_dictionaries({"title": WORDS}, optional={"subject": st.lists(WORDS, max_size=3), "date": WORDS})
CODE = st.fixed_dictionaries({"code": WORDS, "label": WORDS}, optional={"parent_code": WORDS})
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=5,
)
JSON_LINE = st.one_of(RESOURCE, CODE, ANYTHING).map(lambda value: json.dumps(value).encode())
LINES = st.lists(st.one_of(JSON_LINE, st.binary(max_size=12)), max_size=5).map(b"\n".join)
