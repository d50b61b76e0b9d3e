"""Sessions of an IAM role, refused by a dated deny on the role.

Source: AWS IAM guide, "Revoking IAM role temporary security credentials". It hits every user of the role who
has a session from before, not only the thief, and reaches all of AWS within minutes; who takes the role anew
is not touched. The stolen session is not ours to try, so the grade is B: IAM shows the deny on the role.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Final, Self, TypeVar, cast

import orjson
from pydantic import ConfigDict, Field, model_validator

from config.response import Target as AnyTarget
from connectors.aws.account import Account, client_of
from connectors.aws.client import AwsClient
from connectors.aws.error import AwsAwayError, AwsError
from connectors.aws.iam import Iam
from connectors.aws.session_deny import POLICY, denies_until, session_deny
from connectors.rotation.tools import Tools
from detectors.event import Fields
from detectors.finding import rfc3339
from playbooks.ports import Observation, StepContext, StepFailedError, StepResult, StepSpec
from playbooks.proof import Check, Grade
from playbooks.target import TargetRef

MARGIN_S: Final = 60.0
"""Our clock and AWS's may differ by so much; sessions of that minute are refused too."""
_LOOK: Final = {"deadline_s": 120.0, "timeout_s": 5.0, "max_attempts": 6}
_R = TypeVar("_R")


class AwsRoleSessionsTarget(AnyTarget):
    """`mount` is our word for the account, `name` the role. A role that is `shared` needs two people.

    `account_id` is the account's number: only with it do findings name the role's sessions.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    kind: str = "aws_role_sessions"
    mount: str = Field(default="aws", pattern=r"^[A-Za-z0-9._-]{1,128}$")
    name: str = Field(pattern=r"^[A-Za-z0-9+=,.@_-]{1,64}$")
    account_id: str = Field(default="", pattern=r"^(\d{12})?$")
    shared: bool = True
    account: Account = Account()

    @property
    def named_as(self) -> tuple[tuple[str, str], ...]:
        """The role, by account and name; its path and a session's name say nothing more."""
        return (("iam_role", f"{self.account_id}/{self.name}"),) if self.account_id else ()

    @model_validator(mode="after")
    def _two_people_for_a_shared_role(self) -> Self:
        if self.shared and self.classification not in ("restricted", "unknown"):
            raise ValueError("a shared role's sessions need classification restricted: two people decide")
        return self


Target = AwsRoleSessionsTarget


class AwsRoleSessions:
    """Implements `playbooks.ports.RotationHandler` for kind `aws_role_sessions`."""

    kind: str = "aws_role_sessions"
    permissions: tuple[str, ...] = ()
    example: str = "{kind: aws_role_sessions, mount: aws, name: etl, shared: false, classification: internal}"
    best_grade: Grade = "B"
    irreversible: str = ""
    services: tuple[str, ...] = ("aws",)
    TARGET = AwsRoleSessionsTarget
    STEPS: ClassVar[tuple[StepSpec, ...]] = (
        StepSpec("look", None, False, **_LOOK),
        StepSpec("deny", "aws iam:PutRolePolicy", False, **_LOOK, undo="the role's policy as it was before"),
        StepSpec("stands", None, False, **_LOOK, milestone="contained"),
    )

    def __init__(
        self, targets: Mapping[str, Target], connect: Callable[[Account], AwsClient] = client_of
    ) -> None:
        self._targets = targets
        self._connect = connect
        self._reached: dict[str, Iam] = {}

    @classmethod
    def from_settings(cls, tools: Tools) -> AwsRoleSessions:
        """Return the handler of all targets of this kind."""
        targets = tools.settings.response.targets
        return cls({target.key: target for target in targets if isinstance(target, AwsRoleSessionsTarget)})

    def steps(self, target: TargetRef) -> Sequence[StepSpec]:
        """Return the steps in order."""
        return self.STEPS

    def precheck(self, step: StepSpec, context: StepContext) -> None:
        """Raise StepFailedError for the role that we are ourselves, and for a role that is not to be read."""
        if step.name == "look":
            self._fit(context)

    def dry_run(self, context: StepContext) -> Sequence[str]:
        """Return what would change; changes nothing. Raises StepFailedError."""
        self._fit(context)
        until = rfc3339(context.now() + MARGIN_S)
        held = denies_until(self._policy(context))
        before = f"; such a deny stands already, until {rfc3339(held)}" if held is not None else ""
        return (
            f"every session of role {context.target.name} from before {until} is refused{before}",
            "who takes the role anew is not touched; AWS needs minutes to know it everywhere",
        )

    def call(self, step: StepSpec, context: StepContext) -> StepResult:
        """Do one step. Raises StepFailedError; what was sent may have taken effect all the same."""
        context.still_leased(2 * step.timeout_s)
        return {"look": self._look, "deny": self._deny, "stands": self._stands}[step.name](context)

    def observe(self, step: StepSpec, context: StepContext) -> Observation:
        """For `deny`: whether the role is denied as late as we want, or later."""
        if step.name != "deny":
            return "not_done"
        held = denies_until(self._policy(context))
        return "done" if held is not None and held >= _until(context) else "not_done"

    def undo(self, step: StepSpec, context: StepContext) -> StepResult:
        """Put back what stood before, if what we wrote still stands. Raises StepFailedError."""
        now, before = self._policy(context), context.state.get("before")
        if now == before:
            return StepResult(note="the role is as it was")
        if now is None or denies_until(now) != _until(context):
            raise StepFailedError("the role's deny is not ours any more: it is left alone", retry=False)
        role = context.target.name
        if isinstance(before, str):
            _asked(lambda: self._iam(context).put_policy("Role", role, POLICY, before))
        else:
            _asked(lambda: self._iam(context).delete_policy("Role", role, POLICY))
        return StepResult(note="the role is as it was")

    def _look(self, context: StepContext) -> StepResult:
        until = round(context.now() + MARGIN_S, 3)
        state = {"until": until, "before": self._policy(context)}
        return StepResult(state, note=f"sessions from before {rfc3339(until)} are to be refused")

    def _deny(self, context: StepContext) -> StepResult:
        until, role = _until(context), context.target.name
        held = denies_until(self._policy(context))
        if held is not None and held >= until:
            return StepResult(note="a deny as late stood there already")
        context.still_leased(2 * _LOOK["timeout_s"])
        _asked(lambda: self._iam(context).put_policy("Role", role, POLICY, session_deny(until)))
        return StepResult(note="the dated deny is written")

    def _stands(self, context: StepContext) -> StepResult:
        first = context.now()
        held = denies_until(self._policy(context))
        stands = held is not None and held >= _until(context)
        code = "no deny" if held is None else f"denied until {rfc3339(held)}"
        check = Check("sessions_gone", stands, 1, first, context.now(), "aws iam", code)
        if not stands:
            raise StepFailedError("the dated deny does not stand yet", retry=True, checks=[check])
        state: Fields = {
            "tried_old": False,
            "without": ["negative_control", "new_accepted"],
            "rotated_at": _until(context) - MARGIN_S,
        }
        return StepResult(state, [check], "IAM shows the dated deny on the role")

    def _fit(self, context: StepContext) -> None:
        arn = _asked(lambda: self._iam(context).whoami())
        if f":assumed-role/{context.target.name}/" in arn:
            raise StepFailedError("never denied: it is the role that we are ourselves", retry=False)
        self._policy(context)

    def _policy(self, context: StepContext) -> str | None:
        found = _asked(lambda: self._iam(context).policy("Role", context.target.name, POLICY))
        return None if found is None else orjson.dumps(orjson.loads(found)).decode()

    def _iam(self, context: StepContext) -> Iam:
        target = self._targets.get(context.target.base_key)
        if target is None:
            raise StepFailedError("the target is no longer configured", retry=False)
        found = self._reached.get(target.key)
        if found is None:
            found = self._reached[target.key] = Iam(self._connect(target.account), target.account.credentials)
        return found


def role_policy(account_id: str, target: Target, partition: str = "aws", path: str = "/") -> Fields:
    """Return the IAM policy that our own user needs for this target, and nothing more."""
    statement: Fields = {
        "Effect": "Allow",
        "Action": ["iam:GetRolePolicy", "iam:PutRolePolicy", "iam:DeleteRolePolicy"],
        "Resource": f"arn:{partition}:iam::{account_id}:role{path}{target.name}",
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def _until(context: StepContext) -> float:
    return float(cast(float, context.state["until"]))


def _asked(work: Callable[[], _R]) -> _R:
    failure: StepFailedError
    try:
        return work()
    except AwsAwayError as error:
        failure = StepFailedError(str(error), retry=True, unavailable="aws")
    except AwsError as error:
        failure = StepFailedError(str(error), retry=False)
    raise failure


HANDLER: Final = AwsRoleSessions
