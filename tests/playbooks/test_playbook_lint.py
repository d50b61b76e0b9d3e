"""A wrong playbook gives every problem at once, each with file, line, what was found and what is allowed."""

from __future__ import annotations

import pytest

from playbooks.library import PlaybookText, check, load
from playbooks.playbook import PlaybookError

GOOD = """---
id: test-playbook
version: 1.0.0
title: A test
owner: somebody
attack: [T1078]
false_positives: ["A known job."]
steps:
  - {id: look, verb: manual, text: "Look."}
---

## Is it real?

Was it {{ actor }}?

## Do now

```sh
kubectl get pod {{ pod | sh }}
```
Expected: the pod.

## If automation failed

Nothing.

## Verify

Nothing.

## Undo

Nothing.

## Who to wake

Nobody.

## Afterwards

Nothing.
"""


def problems(text, file="a.md"):
    return check([PlaybookText(file, text)])[1]


def test_a_good_playbook_has_no_problem():
    playbooks, found = check([PlaybookText("a.md", GOOD)])
    assert found == []
    assert playbooks["test-playbook"].sections["Verify"] == "Nothing."


@pytest.mark.parametrize(
    ("before", "after", "line", "key", "allowed"),
    [
        ("version: 1.0.0", "version: one", 3, "version", "pattern"),
        ("owner: somebody\n", "", 2, "owner", "required"),
        ("owner: somebody", "owner: somebody\ncolour: red", 6, "colour", "one of id, version"),
        ("attack: [T1078]", "attack: [T10]", 6, "attack.0", "pattern"),
        ("verb: manual", "verb: shoot", 9, "steps.0.verb", "'contain.workload' or 'manual'"),
        (', text: "Look."', "", 9, "steps.0.text", "text of manual"),
        ("verb: manual", "verb: rotate.credential", 9, "steps.0.mode", "mode of rotate.credential"),
        ('["A known job."]', "[]", 7, "false_positives", "at least 1"),
        ("{{ actor }}", "{{ aktor }}", 14, "value", "actor"),
        ("{{ actor }}", "{{ actor", 14, "template", "Jinja2"),
        ("{{ actor }}", "`{{ actor }}`", 14, "value", "| code"),
        ("{{ pod | sh }}", "{{ pod }}", 19, "value", "| sh"),
        ("Expected: the pod.", "The pod.", 20, "command", "Expected:"),
        ("## Undo", "## Redo", 31, "heading", "Undo"),
        ("## Undo\n\nNothing.", "## Undo", 31, "section", "text"),
        ("Nobody.", "TODO ask", 37, "text", "finished text"),
        ("Nobody.", "[wiki](../wiki.md)", 37, "link", "https"),
        ("Was it {{ actor }}?", "x\n" * 61, 12, "length", "60 lines"),
        ("---\n\n## Is", "---\n\nhello\n\n## Is", 12, "body", "## Is it real?"),
        ("Expected: the pod.\n", "Expected: the pod.\n\n```sh\nls\n", 41, "block", "closing fence"),
        ("id: test-playbook", "id: [", 2, "front matter", "valid YAML"),
        ("---\nid", "id", 1, "front matter", "---"),
    ],
)
def test_each_problem_is_found_in_its_place(before, after, line, key, allowed):
    assert before in GOOD
    found = problems(GOOD.replace(before, after, 1))
    match = [p for p in found if p.key == key and allowed in p.allowed]
    assert match, [str(p) for p in found]
    if key not in ("length", "front matter", "body", "block"):
        assert match[0].line == line, str(match[0])


BY_HAND = "```sh\nkubectl get pods\n```\nExpected: pods."
CREDENTIAL = (
    GOOD.replace("owner: somebody", "owner: somebody\nkinds: [vault_token]")
    .replace("verb: manual", 'verb: rotate.credential, mode: contain, deadline: 60s, undo: "none"')
    .replace("## Verify", f"## If the vault is down\n\n{BY_HAND}\n\n## Verify")
)


def test_the_page_of_a_kind_may_have_its_fallback():
    playbooks, found = check([PlaybookText("a.md", CREDENTIAL)])
    assert found == []
    assert "kubectl" in playbooks["test-playbook"].sections["If the vault is down"]


@pytest.mark.parametrize(
    ("before", "after", "line", "key", "allowed"),
    [
        ("## If the vault is down", "## Verify it", 28, "heading", "If the vault is down"),
        ("kubectl get pods", "bao token lookup", 31, "command", "no vault"),
        ("kubectl get pods", "kubectl get pods | vault write -", 31, "command", "no vault"),
        ("```sh\nkubectl get pods\n```\nExpected: pods.", "Wait.", 28, "section", "block"),
        (", deadline: 60s", "", 10, "steps.0.deadline", "deadline of rotate.credential"),
        (', undo: "none"', "", 10, "steps.0.undo", "undo of rotate.credential"),
        ("rotate.credential, mode", "rotate.everything, mode", 10, "steps.0.verb", "rotate.credential"),
        ("rotate.credential, mode: contain", "manual", 6, "steps", "rotate.credential"),
        ("kinds: [vault_token]", "kinds: [Vault]", 6, "kinds.0", "pattern"),
    ],
)
def test_what_a_credentials_page_lacks_is_found_in_its_place(before, after, line, key, allowed):
    assert before in CREDENTIAL
    found = problems(CREDENTIAL.replace(before, after, 1))
    match = [p for p in found if p.key == key and allowed in p.allowed]
    assert match, [str(p) for p in found]
    assert match[0].line == line, str(match[0])


def test_the_page_of_a_kind_without_its_fallback_is_refused():
    text = GOOD.replace("owner: somebody", "owner: somebody\nkinds: [vault_token]")
    assert ("section", "no 'If the vault is down'") in [(p.key, p.found) for p in problems(text)]


def test_a_kind_has_one_page():
    other = CREDENTIAL.replace("id: test-playbook", "id: other-playbook")
    found = check([PlaybookText("a.md", CREDENTIAL), PlaybookText("b.md", other)])[1]
    assert [(p.file, p.key) for p in found] == [("b.md", "kinds")]


def test_all_problems_come_at_once():
    text = GOOD.replace("version: 1.0.0", "version: x").replace("{{ pod | sh }}", "{{ pod }}")
    with pytest.raises(PlaybookError) as error:
        load([PlaybookText("a.md", text), PlaybookText("b.md", text.replace("owner: somebody", "owner: ''"))])
    files = [problem.file for problem in error.value.problems]
    assert files.count("a.md") == 2
    assert files.count("b.md") == 3
    assert "a.md:3: version: found 'x'; allowed:" in str(error.value)


def test_ids_and_rules_belong_to_one_playbook():
    ruled = GOOD.replace("owner: somebody", "owner: somebody\nrules: [r1]")
    other = ruled.replace("id: test-playbook", "id: other-playbook")
    keys = [p.key for p in check([PlaybookText("a.md", ruled), PlaybookText("b.md", other)])[1]]
    assert keys == ["rules"]
    keys = [p.key for p in check([PlaybookText("a.md", GOOD), PlaybookText("b.md", GOOD)])[1]]
    assert keys == ["id"]


def test_an_operator_may_replace_a_shipped_playbook():
    mine = GOOD.replace("title: A test", "title: My own test")
    playbooks, found = check([PlaybookText("playbooks/library/a.md", GOOD), PlaybookText("/etc/a.md", mine)])
    assert found == []
    assert playbooks["test-playbook"].title == "My own test"
