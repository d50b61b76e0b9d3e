"""The calls of IAM and STS: access keys of a user, inline policies of a user or a role, who somebody is.

Times are AWS's clock, seconds since the epoch, UTC.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias
from urllib.parse import unquote

from connectors.aws.client import Answer, AwsClient, Credentials
from connectors.aws.error import AwsRefusedError
from connectors.vault.secret_text import SecretText
from detectors.finding import parse_rfc3339

Holder: TypeAlias = Literal["User", "Role"]


@dataclass(frozen=True, slots=True)
class AccessKey:
    """A key of a user, without its secret."""

    id: str
    active: bool
    created_at: float


class Iam:
    """IAM as `credentials()` may use it. Every method raises AwsError."""

    def __init__(self, client: AwsClient, credentials: Callable[[], Credentials]) -> None:
        self._client = client
        self._credentials = credentials

    def whoami(self, credentials: Credentials | None = None) -> str:
        """Return the ARN of `credentials`, by default of ours (GetCallerIdentity, which nobody is denied)."""
        answer = self._client.call("sts", "GetCallerIdentity", credentials or self._credentials())
        return answer.text("Arn")

    def access_keys(self, user: str) -> list[AccessKey]:
        """Return the user's keys; AWS lets a user have two."""
        answer = self._ask("ListAccessKeys", UserName=user)
        return [
            AccessKey(one.text("AccessKeyId"), one.text("Status") == "Active", _time(one.text("CreateDate")))
            for one in answer.members("AccessKeyMetadata")
        ]

    def create_access_key(self, user: str) -> Credentials:
        """Make a key. Not idempotent, and only this answer ever has the secret."""
        answer = self._ask("CreateAccessKey", UserName=user)
        return Credentials(answer.text("AccessKeyId"), SecretText(answer.text("SecretAccessKey")))

    def set_active(self, user: str, key_id: str, active: bool) -> None:
        """Make a key active or inactive; the same again changes nothing."""
        status = "Active" if active else "Inactive"
        self._ask("UpdateAccessKey", UserName=user, AccessKeyId=key_id, Status=status)

    def delete_access_key(self, user: str, key_id: str) -> None:
        """Delete a key; one that is gone already is no error."""
        try:
            self._ask("DeleteAccessKey", UserName=user, AccessKeyId=key_id)
        except AwsRefusedError as error:
            if error.code != "NoSuchEntity":
                raise

    def last_used(self, key_id: str) -> float | None:
        """Return when a key was last used, as far as AWS has noticed yet; None for never."""
        text = self._ask("GetAccessKeyLastUsed", AccessKeyId=key_id).text("LastUsedDate")
        return _time(text) if text[:1].isdigit() else None

    def put_policy(self, holder: Holder, name: str, policy: str, document: str) -> None:
        """Write an inline policy of a user or a role, over an earlier one of its name."""
        named = {f"{holder}Name": name, "PolicyName": policy, "PolicyDocument": document}
        self._ask(f"Put{holder}Policy", **named)

    def policy(self, holder: Holder, name: str, policy: str) -> str | None:
        """Return an inline policy's document, None when there is none of this name."""
        try:
            answer = self._ask(f"Get{holder}Policy", **{f"{holder}Name": name, "PolicyName": policy})
        except AwsRefusedError as error:
            if error.code != "NoSuchEntity":
                raise
            return None
        return unquote(answer.text("PolicyDocument"))

    def delete_policy(self, holder: Holder, name: str, policy: str) -> None:
        """Delete an inline policy; one that is gone already is no error."""
        try:
            self._ask(f"Delete{holder}Policy", **{f"{holder}Name": name, "PolicyName": policy})
        except AwsRefusedError as error:
            if error.code != "NoSuchEntity":
                raise

    def _ask(self, action: str, **fields: str) -> Answer:
        return self._client.call("iam", action, self._credentials(), fields)


def _time(text: str) -> float:
    """Return an AWS time; moto writes some without an offset."""
    return parse_rfc3339(text if text.endswith(("Z", "+00:00")) else f"{text}Z")
