"""Templates to pages. Everything printed is escaped and made visible; nothing is ever built by hand."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, JSONResponse, Response

from daemon.web import words
from daemon.web.containment_words import deed
from daemon.web.identity import Person
from daemon.web.site import Site
from daemon.web.visible_text import clip, finalize


@lru_cache(maxsize=1)
def style_sheet() -> tuple[bytes, str]:
    """Return the style sheet and the digest that its address carries, so that it may be cached."""
    data = (files("daemon.web") / "static" / "davylamp.css").read_bytes()
    return data, hashlib.sha256(data).hexdigest()[:12]


@lru_cache(maxsize=1)
def environment() -> Environment:
    """Return the template environment: autoescape, strict names, visible text."""
    made = Environment(
        loader=PackageLoader("daemon.web", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"clip": clip, "span": words.span, "stamp": words.stamp, "iso": words.iso, "deed": deed}
    made.globals |= {"count": words.count, "clock": words.clock}
    return made


class Json(JSONResponse):
    """JSON in ASCII: findings may hold lone surrogates of an attacker, which UTF-8 cannot write."""

    def render(self, content: Any) -> bytes:
        """Return the document as bytes."""
        return json.dumps(content, separators=(",", ":"), allow_nan=False).encode("ascii")


def page(
    site: Site,
    template: str,
    *,
    who: Person | None = None,
    status: int = 200,
    headers: dict[str, str] | None = None,
    **values: Any,
) -> Response:
    """Render one page. `now`, `who` and the style sheet's address are given to every template."""
    text = (
        environment()
        .get_template(template)
        .render(
            now=site.clock(),
            who=who,
            form_token=who.form_token if who else "",
            style=f"/static/davylamp.css?v={style_sheet()[1]}",
            approvers=bool(site.settings.web.approvers),
            site_name=site.settings.site,
            **values,
        )
    )
    return HTMLResponse(text.encode("utf-8", "replace"), status, headers)
