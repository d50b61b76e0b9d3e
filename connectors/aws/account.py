"""How an AWS account is reached, as an operator says it, and with which of our own credentials."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from config.secret import Secret
from config.section import Section
from connectors.aws.client import AwsClient, Credentials
from connectors.vault.secret_text import SecretText

ENDPOINT: Final = r"^(https://[^\s/@?#]+|http://(127\.0\.0\.1|localhost)(:\d{1,5})?)(/[^\s@]*)?$"
"""A new key travels in the answer: no plaintext beyond this machine."""


class Account(Section):
    """Our own login to AWS. IAM is one for all regions; what is signed for is us-east-1 outside China.

    Files are read again for each call, so temporary credentials that something renews are followed.
    """

    access_key_id: Secret = Secret()
    secret_access_key: Secret = Secret()
    session_token: Secret = Secret()
    region: str = Field(default="us-east-1", pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")
    partition: str = Field(default="aws", pattern=r"^aws(-cn|-us-gov)?$")
    iam_endpoint: str = Field(default="https://iam.amazonaws.com/", pattern=ENDPOINT)
    sts_endpoint: str = Field(default="https://sts.us-east-1.amazonaws.com/", pattern=ENDPOINT)
    timeout_s: float = Field(default=5.0, gt=0, le=30)

    def credentials(self) -> Credentials:
        """Return our own credentials of this moment. Raises SecretUnreadableError."""
        token = SecretText(self.session_token.reveal()) if self.session_token.given() else None
        secret = SecretText(self.secret_access_key.reveal())
        return Credentials(self.access_key_id.reveal(), secret, token)


def client_of(account: Account) -> AwsClient:
    """Return a client of this account."""
    endpoints = {"iam": account.iam_endpoint, "sts": account.sts_endpoint}
    return AwsClient(endpoints, account.region, timeout_s=account.timeout_s)  # pyright: ignore[reportArgumentType]
