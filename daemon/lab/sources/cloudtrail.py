"""CloudTrail records (record contents, version 1.11).

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
"""

from __future__ import annotations

from typing import Any, Final

from daemon.demo.traffic.record import Body, new_uuid, rfc3339
from daemon.lab.stage import CLOUDTRAIL, Stage
from daemon.lab.world import Person, World

_READS: Final = ("Get", "List", "Describe", "Head", "Lookup", "BatchGet", "Select")
_AGENTS: Final = (
    "aws-cli/2.28.4 md/awscrt#0.27.6 ua/2.1 os/linux#6.1 lang/python#3.13.7",
    "Boto3/1.40.12 md/Botocore#1.40.12 ua/2.1 os/linux#6.8.0 lang/python#3.12.3",
    "aws-sdk-go-v2/1.38.1 ua/2.1 os/linux lang/go#1.25.0",
)
_BROWSER: Final = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"
)


def user(world: World, person: Person) -> Body:
    """Return the `userIdentity` of an IAM user who calls with an access key."""
    return {
        "type": "IAMUser",
        "principalId": person.aws_id,
        "arn": world.arn("iam", f"user/{person.user}", regional=False),
        "accountId": world.account,
        "userName": person.user,
        "accessKeyId": person.access_key,
    }


def console_user(world: World, person: Person) -> Body:
    """Return the `userIdentity` of an IAM user at the console, which has no access key."""
    return {key: value for key, value in user(world, person).items() if key != "accessKeyId"}


def root(world: World, key: str = "") -> Body:
    """Return the `userIdentity` of the account's root user, with an access key or at the console."""
    identity: Body = {
        "type": "Root",
        "principalId": world.account,
        "arn": world.arn("iam", "root", regional=False),
        "accountId": world.account,
    }
    return {**identity, "accessKeyId": key} if key else identity


def role(stage: Stage, name: str, session: str) -> Body:
    """Return the `userIdentity` of a session of a role of this account."""
    world, issuer = stage.world, stage.names.aws_id("AROA")
    return {
        "type": "AssumedRole",
        "principalId": f"{issuer}:{session}",
        "arn": world.arn("sts", f"assumed-role/{name}/{session}", regional=False),
        "accountId": world.account,
        "accessKeyId": stage.names.aws_id("ASIA"),
        "sessionContext": {
            "sessionIssuer": {
                "type": "Role",
                "principalId": issuer,
                "arn": world.arn("iam", f"role/{name}", regional=False),
                "accountId": world.account,
                "userName": name,
            },
            "attributes": {"creationDate": rfc3339(stage.at - 600, 0), "mfaAuthenticated": "false"},
        },
    }


def call(
    stage: Stage,
    who: Body,
    action: str,
    asked: Body | None = None,
    given: Body | None = None,
    *,
    address: str = "",
    error: str = "",
    **more: Any,
) -> None:
    """Write one API call; `action` is ``service:Name``. `error` is an error code, for a call that failed."""
    service, _, name = action.partition(":")
    event_id = new_uuid(stage.rng)
    body: Body = {
        "eventVersion": "1.11",
        "userIdentity": who,
        "eventTime": rfc3339(stage.at, 0),
        "eventSource": f"{service}.amazonaws.com",
        "eventName": name,
        "awsRegion": "us-east-1" if service in ("iam", "organizations", "signin") else stage.world.region,
        "sourceIPAddress": address or stage.foreign,
        "userAgent": _AGENTS[int(stage.foreign.rpartition(".")[2]) % len(_AGENTS)],
        "requestParameters": asked,
        "responseElements": None if error else given,
        "requestID": new_uuid(stage.rng),
        "eventID": event_id,
        "readOnly": name.startswith(_READS),
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": stage.world.account,
        "eventCategory": "Management",
    }
    if error:
        body["errorCode"] = error
        body["errorMessage"] = f"{who.get('arn', 'caller')} is not authorized to perform: {action}"
    stage.add(CLOUDTRAIL, {**body, **more}, event_id)


def data_call(stage: Stage, who: Body, action: str, asked: Body, **more: Any) -> None:
    """Write one data event of S3 (objects)."""
    bucket, key = asked["bucketName"], asked["key"]
    resources = [
        {"type": "AWS::S3::Object", "ARN": f"arn:aws:s3:::{bucket}/{key}"},
        {"type": "AWS::S3::Bucket", "ARN": f"arn:aws:s3:::{bucket}", "accountId": stage.world.account},
    ]
    call(stage, who, action, asked, managementEvent=False, eventCategory="Data", resources=resources, **more)


def sign_in(stage: Stage, who: Body, *, mfa: bool, success: bool = True, address: str = "") -> None:
    """Write a sign-in at the console."""
    more: Body = {"errorMessage": "Failed authentication"} if not success else {}
    call(
        stage,
        who,
        "signin:ConsoleLogin",
        None,
        {"ConsoleLogin": "Success" if success else "Failure"},
        address=address,
        userAgent=_BROWSER,
        readOnly=False,
        eventType="AwsConsoleSignIn",
        additionalEventData={
            "LoginTo": "https://console.aws.amazon.com/console/home?hashArgs=%23",
            "MobileVersion": "No",
            "MFAUsed": "Yes" if mfa else "No",
        },
        **more,
    )
