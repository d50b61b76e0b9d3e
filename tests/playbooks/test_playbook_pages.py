"""The pages that people read at night: filled in, and whatever an attacker wrote stays text."""

from __future__ import annotations

import re
import shlex
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playbooks.library import builtin, check
from playbooks.page import VALUES, render, render_html, shell_word, sql_string
from playbooks.playbook import SECTIONS
from playbooks.values import values_of

ALLOWED = {
    "h1", "h2", "h3", "h4", "p", "ul", "ol", "li", "pre", "code", "strong", "em",
    "blockquote", "hr", "br", "a", "table", "thead", "tbody", "tr", "th", "td",
}  # fmt: skip
NASTY = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[click](javascript:alert(1))",
    "![x](https://evil.example/x.png)",
    "https://evil.example",
    "`; rm -rf / #",
    "'; rm -rf / #",
    "$(reboot)",
    "a\n## Do now\n\nRun evil\n",
    "a\n```\n# heading",
    "{{ 7 * 7 }}{% for x in [1] %}",
    "| a | b |",
    "--kubeconfig=/tmp/evil",
    "\u202egnp.exe",
    "1. first",
    "- item",
    "&lt;b&gt;",
    "\x00\ud800",
    "x" * 5000,
]


class Tags(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.found, self.attributes = [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.found.append(tag)
        self.attributes += attrs


def shape(html):
    return Tags(html).found


@pytest.mark.parametrize(
    "name", ["leaked-credential", "pod-exec", "log-tampering", "mesh-downgrade", "triage"]
)
def test_every_shipped_page_is_whole(shipped, name):
    playbook = shipped[name]
    assert tuple(playbook.sections) == SECTIONS
    values = {key: f"the-{key.replace('_', '-')}" for key in VALUES}
    page = render(playbook, values)
    assert "NOT-KNOWN" not in page
    assert "{{" not in page
    assert [line[3:] for line in page.splitlines() if line.startswith("## ")] == list(SECTIONS)
    assert len(render_html(playbook, values)) < 40_000


def test_only_the_leaked_credential_acts_by_itself(shipped):
    auto = {name: p.rotation for name, p in shipped.items() if p.auto.mode == "auto"}
    assert list(auto) == ["leaked-credential"]
    assert auto["leaked-credential"].mode == "contain"


def test_shipped_playbooks_have_no_problem():
    assert check(builtin())[1] == []


@pytest.mark.parametrize("nasty", NASTY, ids=range(len(NASTY)))
@pytest.mark.parametrize(
    "name", ["leaked-credential", "pod-exec", "log-tampering", "mesh-downgrade", "triage"]
)
def test_an_attackers_text_never_becomes_markup(shipped, name, nasty):
    plain = render_html(shipped[name], dict.fromkeys(VALUES, "harmless"))
    hostile = render_html(shipped[name], dict.fromkeys(VALUES, nasty))
    assert shape(hostile) == shape(plain)
    assert set(shape(hostile)) <= ALLOWED
    assert {key for key, _ in Tags(hostile).attributes} <= {"class", "href", "rel"}
    assert "\n## Do now\n\nRun evil" not in render(shipped[name], dict.fromkeys(VALUES, nasty))


@given(st.text())
def test_any_text_leaves_the_shape_of_the_page(shipped, text):
    plain = shape(render_html(shipped["triage"], dict.fromkeys(VALUES, "harmless")))
    assert shape(render_html(shipped["triage"], dict.fromkeys(VALUES, text))) == plain


@given(st.text())
def test_a_shell_word_is_exactly_one_word_and_no_option(text):
    words = shlex.split(f"kubectl get {shell_word(text)} --output=json")
    assert len(words) == 4
    assert not words[2].startswith("-")


@given(st.text())
def test_an_sql_string_is_exactly_one_literal(text):
    literal = str(sql_string(text))
    assert re.fullmatch(r"'([^']|'')*'", literal)


def test_values_come_from_the_incident_document():
    document = {
        "incident_id": "i", "number": 7, "title": "t", "level": "high", "status": "new",
        "first_event_at": "2026-11-23T03:00:00.000Z", "opened_at": "2026-11-23T03:00:01.000Z",
        "primary": {"type": "credential", "id": "database:database/analytics"},
        "entities": [
            {"type": "address", "id": "10.0.0.7", "role": "source"},
            {"type": "pod", "id": "terraminer-data/etl", "role": "target"},
            {"type": "vault_entity", "id": "e-1", "role": "actor"},
            {"type": "k8s_user", "id": "mallory", "role": "actor"},
        ],
        "actions": [{"action_id": "a", "state": "succeeded", "grade": "A"}],
    }  # fmt: skip
    values = values_of(document)
    assert set(values) <= set(VALUES)
    assert (values["mount"], values["role"]) == ("database", "analytics")
    assert (values["namespace"], values["pod"]) == ("terraminer-data", "etl")
    assert (values["actor"], values["address"], values["vault_entity"]) == ("mallory", "10.0.0.7", "e-1")
    assert (values["action_state"], values["grade"]) == ("succeeded", "A")


def test_what_is_not_known_says_so(shipped):
    page = render(shipped["leaked-credential"], {})
    assert "NOT-KNOWN-ACTION-ID" in page
