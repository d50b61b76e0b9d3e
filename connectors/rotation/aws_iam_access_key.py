"""An access key of an IAM user, distributed by the vault's KV engine (IAM guide, "Update access keys").

A user has at most two keys. Retiring a key ends no session that was taken out with it, so the user also gets
a deny policy dated by `aws:TokenIssueTime`, which long-lived keys do not carry and therefore do not feel. IAM
copies changes slowly: the old key is refused five times over a minute before it counts as dead.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

import orjson
from pydantic import ConfigDict, Field

from connectors.aws.account import Account, client_of
from connectors.aws.client import DEAD, AwsClient, Credentials
from connectors.aws.error import AwsAwayError, AwsError, AwsRefusedError
from connectors.aws.iam import Iam
from connectors.aws.session_deny import POLICY, session_deny
from connectors.kubernetes.step_failure import KUBERNETES
from connectors.rotation.kv_provider import NewKey, ProviderError, ProviderKey, Tried
from connectors.rotation.kv_provider_key import ProviderKeyHandler
from connectors.rotation.kv_provider_target import ProviderKeyTarget
from detectors.event import Fields
from playbooks.proof import Grade

_NO_KEY: Final = "AKIA0000000000000000"
_T = TypeVar("_T")


class AwsIamAccessKeyTarget(ProviderKeyTarget):
    """`user` is the IAM user, `name` unless said otherwise; the KV secret has the pair in the AWS names."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    kind: str = "aws_iam_access_key"
    user: str = Field(default="", pattern=r"^[A-Za-z0-9+=,.@_-]{0,64}$")
    user_path: str = Field(default="/", pattern=r"^/([A-Za-z0-9+=,.@_-]+/)*$", max_length=200)
    account_id: str = Field(pattern=r"^\d{12}$")
    account: Account = Account()
    id_field: str = Field(default="access_key_id", pattern=r"^[A-Za-z0-9_.-]{1,64}$")
    secret_field: str = Field(default="secret_access_key", pattern=r"^[A-Za-z0-9_.-]{1,64}$")
    refused_s: float = Field(default=60.0, ge=3.05, le=600)

    @property
    def arn(self) -> str:
        """The user's ARN."""
        named = f"user{self.user_path}{self.user or self.name}"
        return f"arn:{self.account.partition}:iam::{self.account_id}:{named}"

    @property
    def named_as(self) -> tuple[tuple[str, str], ...]:
        """The secret in the vault, and the user whose key it is."""
        return (*super().named_as, ("iam_principal", self.arn))


class AwsIamAccessKey(ProviderKeyHandler[AwsIamAccessKeyTarget]):
    """Implements `playbooks.ports.RotationHandler` for kind `aws_iam_access_key`."""

    kind: str = "aws_iam_access_key"
    example: str = (
        "{kind: aws_iam_access_key, mount: secret, path: etl/aws, name: etl, account_id: '123456789012', "
        "account: {access_key_id: {file: /run/secrets/aws-id}, secret_access_key: {file: /run/secrets/aws}}}"
    )
    best_grade: Grade = "A"
    services: tuple[str, ...] = ("vault", "provider", KUBERNETES)
    TARGET = AwsIamAccessKeyTarget
    ROUTINE = True

    def provider(self, target: AwsIamAccessKeyTarget) -> IamUser:
        """Return the user's side at AWS."""
        return IamUser(target, client_of(target.account))


def iam_policy(target: AwsIamAccessKeyTarget) -> Fields:
    """Return the IAM policy that Davylamp's own user needs for this target, and nothing more.

    `GetAccessKeyLastUsed` knows no narrower resource than the user either.
    """
    actions = (
        "ListAccessKeys",
        "CreateAccessKey",
        "UpdateAccessKey",
        "DeleteAccessKey",
        "GetAccessKeyLastUsed",
        "GetUserPolicy",
        "PutUserPolicy",
    )
    statement: Fields = {
        "Effect": "Allow",
        "Action": [f"iam:{action}" for action in actions],
        "Resource": target.arn,
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


class IamUser:
    """Implements `connectors.rotation.kv_provider.Provider` for one IAM user."""

    max_keys: int = 2

    def __init__(self, target: AwsIamAccessKeyTarget, client: AwsClient) -> None:
        self._target = target
        self._user = target.user or target.name
        self._iam = Iam(client, target.account.credentials)
        self.observer = f"aws sts of {target.account_id}"

    def listed(self) -> list[ProviderKey]:
        """Return the user's keys."""
        return _told(
            lambda: [
                ProviderKey(key.id, key.active, key.created_at) for key in self._iam.access_keys(self._user)
            ]
        )

    def create(self, intent: str) -> NewKey:
        """Make a key; IAM takes no intent, so a lost answer is found by `listed`."""
        made = _told(lambda: self._iam.create_access_key(self._user))
        return NewKey(made.access_key_id, made.secret)

    def enable(self, key_id: str) -> None:
        """Make a key active."""
        _told(lambda: self._iam.set_active(self._user, key_id, True))

    def disable(self, key_id: str) -> None:
        """Make a key inactive."""
        _told(lambda: self._iam.set_active(self._user, key_id, False))

    def delete(self, key_id: str) -> None:
        """Delete a key."""
        _told(lambda: self._iam.delete_access_key(self._user, key_id))

    def may_retire(self, key_id: str) -> None:
        """Ask for changes that change nothing: an active key made active, a key deleted that is none."""
        _told(lambda: self._iam.set_active(self._user, key_id, True))
        _told(lambda: self._iam.delete_access_key(self._user, _NO_KEY))

    def last_used(self, key_id: str) -> float | None:
        """Return when a key was last used; AWS notices within minutes to hours."""
        return _told(lambda: self._iam.last_used(key_id))

    def end_sessions(self, until: float) -> str:
        """Deny what was issued before `until`, and read the policy back."""
        document = session_deny(until)
        _told(lambda: self._iam.put_policy("User", self._user, POLICY, document))
        found = _told(lambda: self._iam.policy("User", self._user, POLICY))
        if found is None or orjson.loads(found) != orjson.loads(document):
            raise ProviderError("the dated deny does not stand at aws yet", retry=True)
        return "sessions denied by date"

    def probe(self, key: NewKey) -> Tried:
        """Ask AWS who the key is; nobody is denied that question, so a refusal is of the key itself."""
        try:
            arn = self._iam.whoami(Credentials(key.id, key.secret))
        except AwsRefusedError as error:
            return Tried("refused" if error.code in DEAD else "unanswered", error.code)
        except AwsError as error:
            return Tried("unanswered", type(error).__name__)
        return Tried("accepted", "200") if arn == self._target.arn else Tried("unanswered", "another user")


def _told(work: Callable[[], _T]) -> _T:
    failure: ProviderError
    try:
        return work()
    except AwsError as error:
        failure = ProviderError(str(error), retry=isinstance(error, AwsAwayError))
    raise failure


HANDLER: Final = AwsIamAccessKey
