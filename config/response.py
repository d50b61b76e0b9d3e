"""Response: what may be rotated, by whose leave, how often, and the kill switch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final, Literal, cast

from pydantic import (
    ConfigDict,
    Field,
    SerializeAsAny,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

from config.consumers import Consumers
from config.containment import Containment
from config.data_class import DataClass
from config.denial import Denied
from config.risk import Risk
from config.safety import Safety
from config.schedules import FreezeWindow, Schedule
from config.secret import Secret
from config.section import Section

TARGET_KINDS: Final = "target_kinds"


class DatabaseProbe(Section):
    """How proof reaches the database: an address and a login that may end sessions."""

    host: str = "127.0.0.1"
    port: int = Field(default=5432, ge=1, le=65535)
    dbname: str = "postgres"
    sslmode: Literal["disable", "prefer", "require", "verify-ca", "verify-full"] = "require"
    observer: str = "davylamp_observer"
    observer_password: Secret = Secret()
    pooled: bool = False


class Target(Section):
    """One credential that Davylamp may rotate: what every kind has. Other keys are the kind's own.

    A kind's model (a subclass) stands in its handler's file, below `connectors/rotation/`. Here such keys
    are kept as they are, with every ``{value, file}`` as a Secret, until the catalogue reads them
    (`connectors.rotation.catalogue.typed`). `name` has no slash: what follows one names an instance.
    """

    model_config = ConfigDict(extra="allow", frozen=True, validate_default=True)

    kind: str = Field(default="database_static_role", pattern=r"^[a-z][a-z0-9_]{2,63}$")
    mount: str = Field(default="database", min_length=1, max_length=128)
    name: str = Field(pattern=r"^[A-Za-z0-9._@+=,:-]{1,128}$")
    classification: DataClass = "unknown"
    owner: str = "unowned"

    @model_validator(mode="before")
    @classmethod
    def _secrets_hidden(cls, tree: object) -> object:
        return _hidden(cast(object, tree)) if cls is Target and isinstance(tree, Mapping) else tree

    @property
    def key(self) -> str:
        """The canonical name of the target: kind, mount and name."""
        return f"{self.kind}:{self.mount}/{self.name}"

    @property
    def login(self) -> str:
        """Who logs in with it; the target's name unless the kind says otherwise."""
        return str(getattr(self, "username", None) or self.name)

    @property
    def named_as(self) -> tuple[tuple[str, str], ...]:
        """The entities (type, id) that events call it by besides kind, mount and name; a kind says."""
        return ()

    def bare(self) -> Target:
        """Return the target without its kind's own keys, so without any secret."""
        return Target(**{name: getattr(self, name) for name in Target.model_fields})


def _hidden(tree: object) -> object:
    """Return `tree` with each mapping that looks like a secret as one; what is none stays as it was."""
    if isinstance(tree, list | tuple):
        return [_hidden(item) for item in cast("Sequence[object]", tree)]
    if not isinstance(tree, Mapping):
        return tree
    items = cast("Mapping[str, object]", tree)
    if items and items.keys() <= Secret.model_fields.keys():
        return Secret.model_validate(dict(items))
    return {key: _hidden(value) for key, value in items.items()}


def _of_its_kind(value: object, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Target:
    """Read a target by its kind's model, if the context of the validation knows the kinds."""
    context = cast("Mapping[str, Mapping[str, type[Target]]]", info.context or {})
    kinds = context.get(TARGET_KINDS) or {}
    if not kinds or not isinstance(value, Mapping):
        return cast(Target, handler(value))
    tree = cast("Mapping[str, object]", value)
    kind = str(tree.get("kind", "database_static_role"))
    if kind not in kinds:
        raise ValueError(f"unknown kind; allowed: {', '.join(kinds)}")
    return kinds[kind].model_validate(tree)


AnyTarget = Annotated[SerializeAsAny[Target], WrapValidator(_of_its_kind)]


class Caps(Section):
    """How many automatic actions may start in an hour; over a cap an action is proposed and paged."""

    per_actor_hour: int = Field(default=2, ge=0)
    per_owner_hour: int = Field(default=2, ge=0)
    site_hour: int = Field(default=10, ge=0)
    fresh_actor_share: float = Field(default=0.25, ge=0, le=1)


class Response(Section):
    """Database of record, targets, guards."""

    database_url: Secret = Secret()
    playbooks: tuple[Path, ...] = ()
    builtin_playbooks: bool = True
    mode: Literal["propose", "auto"] = "propose"
    kill_switch: bool = False
    targets: tuple[AnyTarget, ...] = ()
    consumers: Consumers = Consumers()
    containment: Containment = Containment()
    deny: tuple[Denied, ...] = ()
    caps: Caps = Caps()
    safety: Safety = Safety()
    risk: Risk = Risk()
    cooldown_success_s: float = Field(default=1800.0, ge=0)
    cooldown_failure_s: float = Field(default=600.0, ge=0)
    freshness_s: float = Field(default=86_400.0, ge=0)
    skew_s: float = Field(default=60.0, ge=0)
    signals_window_s: float = Field(default=3600.0, gt=0)
    drill_days: float = Field(default=90.0, gt=0)
    schedules: tuple[Schedule, ...] = ()
    freeze_windows: tuple[FreezeWindow, ...] = ()
    max_age_days: dict[DataClass, Annotated[float, Field(gt=0)]] = Field(
        default_factory=dict[DataClass, float]
    )
    approval_expiry_s: float = Field(default=3600.0, gt=0)
    lease_s: float = Field(default=30.0, gt=1)
