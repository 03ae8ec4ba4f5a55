"""JSON for browsers: what JSON does not have, and what ends a script element."""

from __future__ import annotations

import json
import math

from qdkernel.web.json_text import json_text
from qdkernel.web.page.render import script_json


def test_numbers_that_json_lacks_become_null() -> None:
    value = {"a": [1.5, math.nan, (math.inf,)], "b": {"c": -math.inf, "d": "NaN"}}
    assert json_text(value) == '{"a":[1.5,null,[null]],"b":{"c":null,"d":"NaN"}}'


def test_json_in_a_script_element_cannot_end_it() -> None:
    value = {"a": "</script><!--<script>&amp;\u2028", "</script>": 1}
    text = script_json(value)
    assert not set(text) & set("<>&\u2028")
    assert json.loads(text) == value
