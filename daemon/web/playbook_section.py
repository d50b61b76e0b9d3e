"""The playbook of an incident with the incident's values filled in, as safe HTML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from playbooks.page import render, to_html
from playbooks.playbook import Playbook
from playbooks.values import values_of


def section_html(playbook: Playbook | None, document: Mapping[str, Any]) -> Markup | None:
    """Return the playbook's sections for an incident's document, or None when the library lacks it.

    Values are escaped by `render`, the result is sanitised by `to_html`: that is why it may be marked
    safe here. Its title is left out and its headings go one level down: the page has its own.
    """
    if playbook is None:
        return None
    _title, _, sections = render(playbook, values_of(document)).partition("\n")
    html = to_html(sections).replace("<h2>", "<h3>").replace("</h2>", "</h3>")
    return Markup(html)  # noqa: S704 - sanitised by nh3 in playbooks/page.py
