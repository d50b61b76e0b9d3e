"""CloudTrail on an ordinary week: console sign-ins with MFA, CI roles, services; some in `Records` files."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from random import Random
from typing import Final

import orjson

from daemon.demo.traffic.platform import ACCOUNT, REGION, Person, Platform
from daemon.demo.traffic.record import (
    CLOUDTRAIL,
    Body,
    Record,
    hexes,
    merged,
    moments,
    new_uuid,
    record,
    rfc3339,
)

TRAIL: Final = f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/terraminer-organisation"
_BROWSER: Final = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"
)
_ISSUER: Final = "token.actions.githubusercontent.com"
_FILE_EVENTS: Final = 6
_READS: Final = (
    ("ec2.amazonaws.com", "DescribeInstances"),
    ("ec2.amazonaws.com", "DescribeSecurityGroups"),
    ("rds.amazonaws.com", "DescribeDBInstances"),
    ("s3.amazonaws.com", "GetBucketLocation"),
    ("s3.amazonaws.com", "ListBuckets"),
    ("cloudwatch.amazonaws.com", "DescribeAlarms"),
    ("eks.amazonaws.com", "DescribeCluster"),
    ("iam.amazonaws.com", "GetUser"),
)
_CI_CALLS: Final = (
    ("ecr.amazonaws.com", "GetAuthorizationToken", True),
    ("ecr.amazonaws.com", "PutImage", False),
    ("eks.amazonaws.com", "DescribeCluster", True),
    ("s3.amazonaws.com", "PutObject", False),
)


def user(name: str, key: str = "") -> Body:
    """Return the `userIdentity` of an IAM user; `key` is the access key that was used."""
    identity: Body = {
        "type": "IAMUser",
        "principalId": f"AIDA{name.upper().replace('.', '').replace('-', '')[:17].ljust(17, 'X')}",
        "arn": f"arn:aws:iam::{ACCOUNT}:user/{name}",
        "accountId": ACCOUNT,
        "userName": name,
    }
    return merged(identity, accessKeyId=key) if key else identity


def event(rng: Random, at: float, identity: Body, service: str, name: str, **more: object) -> Body:
    """Return one CloudTrail event (record contents, version 1.11) at `at` seconds."""
    return merged(
        {
            "eventVersion": "1.11",
            "userIdentity": identity,
            "eventTime": rfc3339(at, 0),
            "eventSource": service,
            "eventName": name,
            "awsRegion": REGION,
            "sourceIPAddress": "10.20.0.4",
            "userAgent": "aws-cli/2.28.4 md/awscrt#0.27.6 ua/2.1 os/linux#6.1 lang/python#3.13.7",
            "requestParameters": None,
            "responseElements": None,
            "requestID": new_uuid(rng),
            "eventID": new_uuid(rng),
            "readOnly": True,
            "eventType": "AwsApiCall",
            "managementEvent": True,
            "recipientAccountId": ACCOUNT,
            "eventCategory": "Management",
        },
        **more,
    )


def console_login(rng: Random, at: float, name: str, address: str, *, mfa: bool) -> Body:
    """Return a successful console sign-in of an IAM user."""
    return event(
        rng,
        at,
        user(name),
        "signin.amazonaws.com",
        "ConsoleLogin",
        sourceIPAddress=address,
        userAgent=_BROWSER,
        responseElements={"ConsoleLogin": "Success"},
        additionalEventData={
            "LoginTo": "https://console.aws.amazon.com/console/home",
            "MobileVersion": "No",
            "MFAUsed": "Yes" if mfa else "No",
        },
        readOnly=False,
        eventType="AwsConsoleSignIn",
    )


def records(platform: Platform, rng: Random, begin: float, end: float, count: int) -> Iterator[Record]:
    """Yield `count` records between `begin` and `end` in order of time; one in twelve is a file."""
    role = _role(rng, "ci-deployer")
    waiting: list[Body] = []
    for index, at in enumerate(moments(rng, begin, end, count, office=True)):
        body = _ordinary(platform, rng, at, role)
        if index % 12 == 0:
            waiting = [_ordinary(platform, rng, at - 0.5 * k, role) for k in range(_FILE_EVENTS)]
            data = orjson.dumps({"Records": waiting})
            yield Record(at, CLOUDTRAIL, gzip.compress(data, 1, mtime=0) if index % 24 == 0 else data)
        else:
            yield record(CLOUDTRAIL, at, body)


def _ordinary(platform: Platform, rng: Random, at: float, role: Body) -> Body:
    person = rng.choice(platform.people)
    dice = rng.random()
    if dice < 0.06:
        return console_login(rng, at, person.user, person.address, mfa=True)
    if dice < 0.45:
        return _person_reads(rng, at, person)
    if dice < 0.75:
        return _ci(rng, at, role)
    if dice < 0.755:
        return _own_key(rng, at, person)
    return _service(rng, at)


def _person_reads(rng: Random, at: float, person: Person) -> Body:
    service, name = rng.choice(_READS)
    key = f"AKIA{abs(hash_of(person.user)):016X}"[:20]
    body = event(rng, at, user(person.user, key), service, name, sourceIPAddress=person.address)
    if rng.random() < 0.01:
        body["errorCode"] = "AccessDenied"
        body["errorMessage"] = f"User {person.user} is not authorized to perform this action"
    return body


def hash_of(text: str) -> int:
    """Return a number that is the same on every run (`hash` of text is not)."""
    return int.from_bytes(text.encode()[:8].ljust(8, b"."), "big")


def _ci(rng: Random, at: float, role: Body) -> Body:
    if rng.random() < 0.2:
        return _assume(rng, at)
    service, name, read_only = rng.choice(_CI_CALLS)
    parameters: Body | None = None
    if name == "PutObject":
        parameters = {"bucketName": "terraminer-artifacts", "key": f"builds/{hexes(rng, 8)}.tar.zst"}
    return event(
        rng,
        at,
        role,
        service,
        name,
        readOnly=read_only,
        requestParameters=parameters,
        sourceIPAddress="10.20.1.40",
    )


def _assume(rng: Random, at: float) -> Body:
    session = f"build-{rng.randint(1000, 9999)}"
    return event(
        rng,
        at,
        {
            "type": "WebIdentityUser",
            "principalId": f"{_ISSUER}:sts.amazonaws.com:repo:terraminer/infrastructure",
            "userName": "repo:terraminer/infrastructure:ref:refs/heads/main",
            "identityProvider": _ISSUER,
        },
        "sts.amazonaws.com",
        "AssumeRoleWithWebIdentity",
        requestParameters={"roleArn": f"arn:aws:iam::{ACCOUNT}:role/ci-deployer", "roleSessionName": session},
        responseElements={
            "credentials": {
                "accessKeyId": f"ASIA{hexes(rng, 16).upper()}",
                "expiration": rfc3339(at + 3600, 0),
            },
            "assumedRoleUser": {"arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/ci-deployer/{session}"},
        },
        sourceIPAddress="192.0.2.200",
    )


def _own_key(rng: Random, at: float, person: Person) -> Body:
    """Return a person replacing their own access key, as the policy asks every quarter."""
    return event(
        rng,
        at,
        user(person.user, f"AKIA{hexes(rng, 16).upper()}"),
        "iam.amazonaws.com",
        "CreateAccessKey",
        requestParameters={"userName": person.user},
        responseElements={
            "accessKey": {
                "userName": person.user,
                "accessKeyId": f"AKIA{hexes(rng, 16).upper()}",
                "status": "Active",
            }
        },
        sourceIPAddress=person.address,
        readOnly=False,
    )


def _service(rng: Random, at: float) -> Body:
    name = rng.choice(("autoscaling", "eks", "rds", "cloudtrail"))
    host = f"{name}.amazonaws.com"
    role = f"aws-service-role/{host}/AWSServiceRoleFor{name.capitalize()}"
    return event(
        rng,
        at,
        {"type": "AWSService", "invokedBy": host},
        "sts.amazonaws.com",
        "AssumeRole",
        sourceIPAddress=host,
        userAgent=host,
        requestParameters={
            "roleArn": f"arn:aws:iam::{ACCOUNT}:role/{role}",
            "roleSessionName": name,
        },
    )


def _role(rng: Random, name: str) -> Body:
    principal = f"AROA{hexes(rng, 17).upper()}"
    arn = f"arn:aws:iam::{ACCOUNT}:role/{name}"
    return {
        "type": "AssumedRole",
        "principalId": f"{principal}:build",
        "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/build",
        "accountId": ACCOUNT,
        "accessKeyId": f"ASIA{hexes(rng, 16).upper()}",
        "sessionContext": {
            "sessionIssuer": {
                "type": "Role",
                "principalId": principal,
                "arn": arn,
                "accountId": ACCOUNT,
                "userName": name,
            },
            "attributes": {"mfaAuthenticated": "false"},
        },
    }
