"""Which images were right, as a text and back."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from workers.messages.hits import packed_hits, unpacked_hits


@given(st.lists(st.booleans(), min_size=1, max_size=40))
def test_hits_are_kept_as_text(hits: list[bool]) -> None:
    text = packed_hits(np.array(hits))
    found = unpacked_hits(text, len(hits))
    assert found is not None and found.tolist() == hits
    assert unpacked_hits(text, len(hits) + 8) is None
    assert unpacked_hits("no base64!", len(hits)) is None
