"""CloudTrail: ordinary work that looks like an attack."""

from __future__ import annotations

from typing import Final

import orjson

from daemon.demo.traffic.record import hexes
from daemon.lab.sources.cloudtrail import call, console_user, data_call, role, sign_in, user
from daemon.lab.stage import Stage, Technique


def own_key_renewed(stage: Stage) -> None:
    """Renew one's own access key, as one has to every few months."""
    person = stage.person()
    who, at = user(stage.world, person), person.address
    call(stage, who, "iam:CreateAccessKey", {"userName": person.user}, {"accessKey": {}}, address=at)
    asked = {"userName": person.user, "accessKeyId": person.access_key, "status": "Inactive"}
    call(stage, who, "iam:UpdateAccessKey", asked, address=at)


def console_with_second_factor(stage: Stage) -> None:
    """Mistype the password twice, then sign in with the second factor."""
    person = stage.person()
    who = console_user(stage.world, person)
    for _ in range(2):
        sign_in(stage, who, mfa=False, success=False, address=person.address)
    sign_in(stage, who, mfa=True, address=person.address)


def infrastructure_as_code(stage: Stage) -> None:
    """Roll out a role for a new application: trusted by the cluster's own provider, with a small policy."""
    who, name = role(stage, stage.world.iac_role, stage.names.word()), stage.names.workload()
    issuer = f"oidc.{stage.names.word()}.example"
    trust = orjson.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {
                        "Federated": stage.world.arn("iam", f"oidc-provider/{issuer}", regional=False)
                    },
                    "Action": "sts:AssumeRoleWithWebIdentity",
                    "Condition": {
                        "StringEquals": {
                            f"{issuer}:aud": "sts.amazonaws.com",
                            f"{issuer}:sub": f"system:serviceaccount:{stage.workload().namespace}:{name}",
                        }
                    },
                }
            ],
        }
    ).decode()
    call(stage, who, "iam:CreateRole", {"roleName": name, "assumeRolePolicyDocument": trust})
    policy = '{"Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::x/*"}]}'
    call(stage, who, "iam:PutRolePolicy", {"roleName": name, "policyName": "read", "policyDocument": policy})


def auditor_reads(stage: Stage) -> None:
    """Read the state of trails and detectors, as auditors do."""
    person = stage.person()
    for action in (
        "cloudtrail:DescribeTrails",
        "cloudtrail:GetTrailStatus",
        "guardduty:ListDetectors",
        "iam:ListUsers",
    ):
        call(stage, user(stage.world, person), action, address=person.address)


def database_retired(stage: Stage) -> None:
    """Delete a test database with a last snapshot."""
    asked = {
        "dBInstanceIdentifier": stage.names.thing(),
        "skipFinalSnapshot": False,
        "finalDBSnapshotIdentifier": stage.names.thing(),
        "deleteAutomatedBackups": False,
    }
    person = stage.person()
    call(stage, user(stage.world, person), "rds:DeleteDBInstance", asked, address=person.address)


def objects_encrypted_by_service(stage: Stage) -> None:
    """Copy objects with the account's own key."""
    who, bucket = role(stage, stage.world.ci_role, stage.names.word()), stage.world.data_bucket
    for _ in range(12):
        asked = {"bucketName": bucket, "key": hexes(stage.rng, 8), "x-amz-server-side-encryption": "aws:kms"}
        data_call(stage, who, "s3:PutObject", asked, additionalEventData={"SSEApplied": "SSE_KMS"})


def port_opened_to_office(stage: Stage) -> None:
    """Open a port for one office network."""
    ranges = {"items": [{"cidrIp": f"{stage.names.outside()}/32"}]}
    permission = {"ipProtocol": "tcp", "fromPort": 443, "toPort": 443, "ipRanges": ranges}
    asked = {"groupId": f"sg-{hexes(stage.rng, 17)}", "ipPermissions": {"items": [permission]}}
    person = stage.person()
    call(stage, user(stage.world, person), "ec2:AuthorizeSecurityGroupIngress", asked, address=person.address)


LOOK_ALIKES: Final = (
    Technique("aws-own-key-renewed", "Own access key renewed", own_key_renewed, why="own key, usual address"),
    Technique(
        "aws-console-second-factor",
        "Two wrong passwords, then a login with second factor",
        console_with_second_factor,
        why="two mistakes, then the second factor",
    ),
    Technique(
        "aws-new-application",
        "Role for a new application",
        infrastructure_as_code,
        why="infrastructure as code",
    ),
    Technique("aws-auditor-reads", "Auditor reads the state of trails", auditor_reads, why="reads only"),
    Technique(
        "aws-database-retired",
        "Test database deleted with a snapshot",
        database_retired,
        why="last snapshot kept",
    ),
    Technique(
        "aws-objects-own-key", "Objects written with the own key", objects_encrypted_by_service, why="own key"
    ),
    Technique(
        "aws-port-for-office",
        "Port opened for one address",
        port_opened_to_office,
        why="one address, port 443",
    ),
)
