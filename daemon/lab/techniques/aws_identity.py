"""CloudTrail: identities taken over, made to last, given more."""

from __future__ import annotations

from typing import Final

import orjson

from daemon.demo.traffic.record import Body
from daemon.lab.sources.cloudtrail import call, console_user, role, root, sign_in, user
from daemon.lab.stage import Stage, Technique

_QUARANTINE: Final = "arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV3"


def root_key_used(stage: Stage) -> None:
    """Call with an access key of the root user."""
    who = root(stage.world, stage.names.aws_id("AKIA"))
    call(stage, who, "sts:GetCallerIdentity")
    call(stage, who, "iam:ListUsers")


def root_key_made(stage: Stage) -> None:
    """Sign in as root and make an access key."""
    who = root(stage.world)
    sign_in(stage, who, mfa=False)
    key = {"status": "Active", "accessKeyId": stage.names.aws_id("AKIA")}
    call(stage, who, "iam:CreateAccessKey", None, {"accessKey": key})


def key_for_other(stage: Stage) -> None:
    """Make an access key for somebody else."""
    thief, victim = stage.rng.sample(stage.world.people, 2)
    key = {"userName": victim.user, "status": "Active", "accessKeyId": stage.names.aws_id("AKIA")}
    call(
        stage, user(stage.world, thief), "iam:CreateAccessKey", {"userName": victim.user}, {"accessKey": key}
    )


def console_for_other(stage: Stage) -> None:
    """Give another user, who had none, a password."""
    thief, victim = stage.rng.sample(stage.world.people, 2)
    asked = {"userName": victim.user, "passwordResetRequired": False}
    call(
        stage,
        user(stage.world, thief),
        "iam:CreateLoginProfile",
        asked,
        {"loginProfile": {"userName": victim.user}},
    )


def hidden_user(stage: Stage) -> None:
    """Make a user, give it every right and a key."""
    who, name = user(stage.world, stage.person()), stage.names.workload()
    call(stage, who, "iam:CreateUser", {"userName": name}, {"user": {"userName": name, "path": "/"}})
    policy = "arn:aws:iam::aws:policy/AdministratorAccess"
    call(stage, who, "iam:AttachUserPolicy", {"userName": name, "policyArn": policy})
    call(stage, who, "iam:CreateAccessKey", {"userName": name}, {"accessKey": {"userName": name}})


def star_policy(stage: Stage) -> None:
    """Write an inline policy that allows everything."""
    person = stage.person()
    text = orjson.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    ).decode()
    asked = {"userName": person.user, "policyName": stage.names.thing(), "policyDocument": text}
    call(stage, user(stage.world, person), "iam:PutUserPolicy", asked)


def _trust(principal: Body | str, condition: Body | None = None) -> str:
    statement: Body = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    if condition:
        statement["Condition"] = condition
    return orjson.dumps({"Version": "2012-10-17", "Statement": [statement]}).decode()


def trust_everybody(stage: Stage) -> None:
    """Let anybody take a role."""
    asked = {"roleName": stage.names.workload(), "policyDocument": _trust({"AWS": "*"})}
    call(stage, user(stage.world, stage.person()), "iam:UpdateAssumeRolePolicy", asked)


def trust_other_account(stage: Stage) -> None:
    """Let an unknown account take a role."""
    outsider = f"arn:aws:iam::{stage.names.digits(12)}:root"
    asked = {"roleName": stage.names.workload(), "policyDocument": _trust({"AWS": outsider})}
    call(stage, user(stage.world, stage.person()), "iam:UpdateAssumeRolePolicy", asked)


def quarantine_removed(stage: Stage) -> None:
    """Take the policy off that AWS puts on a user whose key was found in public."""
    thief = user(stage.world, stage.person())
    call(stage, thief, "iam:DetachUserPolicy", {"userName": thief["userName"], "policyArn": _QUARANTINE})


def mfa_removed(stage: Stage) -> None:
    """Take the second factor off a user."""
    thief, victim = stage.rng.sample(stage.world.people, 2)
    serial = stage.world.arn("iam", f"mfa/{victim.user}", regional=False)
    asked = {"userName": victim.user, "serialNumber": serial}
    call(stage, user(stage.world, thief), "iam:DeactivateMFADevice", asked)


def provider_added(stage: Stage) -> None:
    """Add an identity provider of one's own."""
    asked = {"url": f"https://{stage.names.word()}.example", "clientIDList": ["sts.amazonaws.com"]}
    call(stage, user(stage.world, stage.person()), "iam:CreateOpenIDConnectProvider", asked)


def organization_left(stage: Stage) -> None:
    """Take the account out of the organisation and its guard-rails."""
    call(stage, role(stage, stage.names.workload(), stage.names.word()), "organizations:LeaveOrganization")


def console_guessed(stage: Stage) -> None:
    """Try passwords of one user at the console until one fits."""
    who = console_user(stage.world, stage.person())
    for _ in range(stage.rng.randint(12, 18)):
        sign_in(stage, who, mfa=False, success=False)
        stage.wait(1, 6)
    sign_in(stage, who, mfa=False)


def login_key_silence(stage: Stage) -> None:
    """Sign in with a stolen password, make a key for a lasting way in, stop the trail."""
    thief, victim = stage.rng.sample(stage.world.people, 2)
    console = console_user(stage.world, thief)
    sign_in(stage, console, mfa=False)
    stage.wait(60, 240)
    session = {**console, "accessKeyId": stage.names.aws_id("ASIA")}
    call(
        stage,
        session,
        "iam:CreateAccessKey",
        {"userName": victim.user},
        {"accessKey": {"userName": victim.user}},
    )
    stage.wait(60, 600)
    call(stage, session, "cloudtrail:StopLogging", {"name": stage.world.trail})


TECHNIQUES: Final = (
    Technique("aws-root-key-used", "Access key of root used", root_key_used, ("T1078.004",), "critical"),
    Technique("aws-root-key-made", "Access key for root made", root_key_made, ("T1098.001",), "critical"),
    Technique("aws-key-for-other", "Access key made for somebody else", key_for_other, ("T1098.001",)),
    Technique("aws-console-for-other", "Password given to another user", console_for_other, ("T1098",)),
    Technique(
        "aws-hidden-user", "User made, with every right and a key", hidden_user, ("T1136.003", "T1098.003")
    ),
    Technique("aws-star-policy", "Inline policy that allows everything", star_policy, ("T1098.003",)),
    Technique("aws-trust-everybody", "Role opened to everybody", trust_everybody, ("T1098.003",), "critical"),
    Technique(
        "aws-trust-other-account", "Role opened to an unknown account", trust_other_account, ("T1098.003",)
    ),
    Technique(
        "aws-quarantine-removed",
        "Quarantine of a leaked key taken off",
        quarantine_removed,
        ("T1098",),
        "critical",
    ),
    Technique("aws-mfa-removed", "Second factor taken off a user", mfa_removed, ("T1556.006",)),
    Technique("aws-provider-added", "Identity provider added", provider_added, ("T1484.002",)),
    Technique(
        "aws-organization-left",
        "Account taken out of the organisation",
        organization_left,
        ("T1666",),
        "critical",
    ),
    Technique(
        "aws-console-guessed",
        "Passwords tried at the console until one fits",
        console_guessed,
        ("T1110.001",),
    ),
    Technique(
        "aws-login-key-silence",
        "Login, key for another user, trail stopped",
        login_key_silence,
        ("T1078.004", "T1098.001", "T1685.002"),
        "critical",
    ),
)
