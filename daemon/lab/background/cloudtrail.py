"""CloudTrail on an ordinary day: people read, CI pushes, services call each other."""

from __future__ import annotations

from typing import Final

from daemon.demo.traffic.record import hexes
from daemon.lab.sources.cloudtrail import call, console_user, data_call, role, sign_in, user
from daemon.lab.stage import Stage

_READS: Final = (
    "ec2:DescribeInstances",
    "rds:DescribeDBInstances",
    "s3:ListBuckets",
    "cloudwatch:DescribeAlarms",
    "eks:DescribeCluster",
    "iam:GetUser",
)


def ordinary(stage: Stage) -> None:
    """Write one ordinary thing."""
    dice, person = stage.rng.random(), stage.person()
    if dice < 0.04:
        sign_in(stage, console_user(stage.world, person), mfa=True, address=person.address)
    elif dice < 0.5:
        call(stage, user(stage.world, person), stage.rng.choice(_READS), address=person.address)
    elif dice < 0.8:
        _pipeline(stage)
    else:
        _service(stage)


def _pipeline(stage: Stage) -> None:
    world = stage.world
    who, at = role(stage, world.ci_role, stage.names.tail(9)), stage.pod(world.ci).address
    if stage.rng.random() < 0.5:
        call(stage, who, "ecr:GetAuthorizationToken", address=at)
        return
    asked = {"bucketName": f"{world.company}-artifacts", "key": hexes(stage.rng, 12)}
    data_call(stage, who, "s3:PutObject", asked, address=at, additionalEventData={"SSEApplied": "SSE_KMS"})


def _service(stage: Stage) -> None:
    who = {"type": "AWSService", "invokedBy": "eks.amazonaws.com"}
    asked = {"roleArn": stage.world.arn("iam", "role/nodes", regional=False), "roleSessionName": "eks"}
    call(
        stage,
        who,
        "sts:AssumeRole",
        asked,
        address="eks.amazonaws.com",
        userAgent="eks.amazonaws.com",
        readOnly=True,
    )
