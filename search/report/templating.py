"""Pages from templates: everything escaped, scripts named by their hashes, nothing loaded.

A page's policy lets run only what this program wrote: what stands in a study (names of classes,
of studies, of parameters) cannot become a script even where it would slip through the escaping.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import Any

import jinja2


@functools.cache
def _environment() -> jinja2.Environment:
    found = jinja2.Environment(
        loader=jinja2.PackageLoader("search.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters["px"] = "{:.1f}".format
    # A NaN would make the whole of it unreadable to a browser.
    found.policies["json.dumps_kwargs"] = {"allow_nan": False, "ensure_ascii": False}
    return found


def render(template: str, *, scripts: Sequence[str] = (), **values: Any) -> str:
    """Return a page.

    Args:
        template: Its file.
        scripts: JavaScript of ours, which alone may run in it: ``scripts`` in the template.
        values: What the template shows; texts are escaped.
    """
    hashes = [base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in scripts]
    allowed = " ".join(f"'sha256-{one}'" for one in hashes) or "'none'"
    policy = (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; "
        f"base-uri 'none'; form-action 'none'"
    )
    return _environment().get_template(template).render(policy=policy, scripts=scripts, **values)


def fragment(template: str, **values: Any) -> str:
    """Return a part of a page, escaped already: another template takes it as ``safe``.

    Args:
        template: Its file.
        values: What it shows; texts are escaped.
    """
    return _environment().get_template(template).render(**values)


def source(file: str) -> str:
    """Return a script or a style of the package as it is."""
    environment = _environment()
    assert environment.loader is not None
    text, _, _ = environment.loader.get_source(environment, file)
    assert "</script" not in text and "</style" not in text
    return text


def finite(value: Any) -> Any:
    """Return plain data with None in the place of every number that JSON has no word for."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): finite(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(one) for one in value]
    return value
