"""How to log in to Kafka: what belongs together, what cannot be, and no secret in an error."""

from __future__ import annotations

import pytest
import yaml

from config.errors import ConfigurationError
from config.loader import load
from config.scope import scoped


def loaded(tmp_path, **kafka):
    path = tmp_path / "davylamp.yaml"
    path.write_text(yaml.safe_dump({"kafka": kafka}), encoding="utf-8")
    return load(path)


@pytest.mark.parametrize(
    ("kafka", "said"),
    [
        ({"security_protocol": "SSL", "cert_file": "/c"}, "belong together"),
        ({"security_protocol": "SSL", "key_file": "/k"}, "belong together"),
        ({"cert_file": "/c", "key_file": "/k"}, "of no use with security_protocol PLAINTEXT"),
        ({"token": {"value": "S-token"}}, "for sasl_mechanism OAUTHBEARER"),
        ({"security_protocol": "SASL_SSL", "sasl_mechanism": "OAUTHBEARER"}, "needs token"),
        (
            {
                "security_protocol": "SASL_PLAINTEXT",
                "sasl_mechanism": "OAUTHBEARER",
                "token": {"value": "S-token"},
            },
            "use security_protocol SASL_SSL",
        ),
    ],
)
def test_what_cannot_be_is_told_without_a_secret(tmp_path, kafka, said):
    with pytest.raises(ConfigurationError, match=said) as caught:
        loaded(tmp_path, **kafka)
    assert "S-token" not in str(caught.value)


def test_the_web_role_gets_no_way_into_kafka(tmp_path):
    given = loaded(
        tmp_path,
        security_protocol="SASL_SSL",
        sasl_mechanism="OAUTHBEARER",
        token={"value": "S-token"},
        cert_file="/c",
        key_file="/k",
    )
    web = scoped(given, "web")
    assert not web.kafka.token.given() and web.kafka.key_file is None
    assert type(web).model_validate_json(web.model_dump_json()).kafka.topics == given.kafka.topics
