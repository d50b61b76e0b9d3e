"""The deny list: what is never acted on."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from config.section import Section


class Denied(Section):
    """One entry; `name` is what a refusal says. A target is denied when any of the lists names it.

    `targets`: keys (``kind:mount/name``), where `*` stands for anything. `entities`: ``type:id``, for
    Kubernetes ``namespace:NAME``, ``workload:NAMESPACE/KIND/NAME``, ``service_account:NAMESPACE/NAME``.
    `logins`: names that somebody logs in by, in any case of letters.
    """

    name: str = Field(min_length=1, max_length=120)
    targets: tuple[Annotated[str, Field(min_length=1, max_length=512)], ...] = ()
    entities: tuple[Annotated[str, Field(pattern=r"^[a-z_]{2,32}:.{1,512}$")], ...] = ()
    logins: tuple[Annotated[str, Field(min_length=1, max_length=256)], ...] = ()
