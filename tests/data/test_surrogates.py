"""Half a surrogate pair is read as U+FFFD in every dataset, counted, and reported with file and line."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundling.data.formats import read
from foundling.data.surrogates import REPLACED, replace_surrogates
from foundling.settings.datasets import Source

values = st.recursive(
    st.text(st.characters(exclude_categories=[])) | st.integers() | st.none() | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(values)
def test_any_json_value_can_be_encoded_afterwards(value: Any) -> None:
    found, count = replace_surrogates(value)
    json.dumps(found, ensure_ascii=False).encode()
    if count == 0:
        assert found == value


@pytest.mark.parametrize("name", ["mine.jsonl", "mine.json"])
def test_halves_of_pairs_are_replaced_and_counted(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    whole = {"text": "a whole one \ud83e\udd8a"}
    halves = {"text": "cut \ud83e", "more": ["\udd8a", {"\ud83e": 1}], "n": 7}
    lines = [json.dumps(whole).replace("\\\\", "\\"), json.dumps(halves), json.dumps({"text": "none"})]
    (tmp_path / name).write_text("\n".join(lines) if name.endswith("l") else f"[{','.join(lines)}]")
    tally: Counter[str] = Counter()
    found = [record for _, record in read(tmp_path / name, Source(name="test", path="x"), tally)]
    assert found == [
        {"text": "a whole one 🦊"},
        {"text": "cut \ufffd", "more": ["\ufffd", {"\ufffd": 1}], "n": 7},
        {"text": "none"},
    ]
    assert tally == {REPLACED: 3}
    assert f"{name}: 3 halves of surrogate pairs are read as U+FFFD (first: line 2)" in caplog.text
