"""SIEM targets in the configuration: addresses, credentials, names; no error shows a secret."""

from __future__ import annotations

import pytest

from config.errors import ConfigurationError
from config.loader import load


def loaded(tmp_path, text):
    path = tmp_path / "davylamp.yaml"
    path.write_text(f"forwarding:\n  targets:\n{text}")
    return load(path).forwarding.targets


def test_both_products_and_all_their_settings(tmp_path):
    elastic, open_ = loaded(
        tmp_path,
        "    - {kind: elasticsearch, urls: ['https://a:9200/', 'http://[::1]:9200/path'],\n"
        "       api_key: {value: k}}\n"
        "    - {kind: opensearch, username: u, password: {file: /p}, compress: true}\n",
    )
    assert elastic.urls == ("https://a:9200", "http://[::1]:9200/path") and elastic.name == "elasticsearch"
    assert open_.kind == open_.name == "opensearch" and open_.compress


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("kind: elasticsearch, urls: ['https://u:S-pw@a:9200']", "no user or password in an address"),
        ("kind: elasticsearch, urls: ['https://a:9200/?key=1']", "no query"),
        ("kind: elasticsearch, urls: ['ftp://a']", "https://host:9200"),
        ("kind: elasticsearch, urls: ['https://a:99999']", "https://host:9200"),
        ("kind: elasticsearch, urls: []", "at least 1"),
        ("kind: elasticsearch, api_key: {value: S-key}, username: u, password: {value: S-pw}", "give one of"),
        ("kind: opensearch, password: {value: S-pw}", "belong together"),
        ("kind: opensearch, username: u", "belong together"),
        ("kind: opensearch, username: 'u:v', password: {value: S-pw}", "username"),
        ("kind: opensearch, api_key: {value: S-key}", "api_key"),
    ],
)
def test_what_cannot_be_is_told_without_a_secret(tmp_path, target, said):
    with pytest.raises(ConfigurationError, match=said) as caught:
        loaded(tmp_path, f"    - {{{target}}}\n")
    assert "S-" not in str(caught.value)


def test_two_targets_of_one_name_would_share_a_group(tmp_path):
    text = "    - {kind: opensearch, username: u, password: {value: S-pw}}\n" * 2
    with pytest.raises(ConfigurationError, match="two targets have one name") as caught:
        loaded(tmp_path, text)
    assert "S-" not in str(caught.value)
