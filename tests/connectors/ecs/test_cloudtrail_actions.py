"""Category and type of real CloudTrail calls, and that whatever is called gets values of ECS."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.ecs.cloudtrail_actions import CATEGORIES, classify

DATA = Path(__file__).parent / "data"
ALLOWED = json.loads((DATA / "ecs_fields.json").read_text())["allowed"]
ROWS = [
    [part.strip() for part in line.split("|")]
    for line in (DATA / "cloudtrail_actions.txt").read_text().splitlines()
    if not line.startswith("#")
]
SUBJECTS = {"user", "group", "admin"}
# Said by hand, so that the list cannot drift with the rules.
BY_HAND = {
    "iam:CreateUser": ("iam", "creation user"),
    "iam:CreateAccessKey": ("iam", "creation user"),
    "iam:AddUserToGroup": ("iam", "change user group"),
    "iam:AttachRolePolicy": ("iam", "change admin"),
    "sts:AssumeRole": ("authentication", "start"),
    "sts:GetCallerIdentity": ("iam", "info"),
    "signin:ConsoleLogin": ("authentication", "start"),
    "s3:GetObject": ("file", "access"),
    "s3:PutObject": ("file", "creation"),
    "s3:PutBucketPolicy": ("file", "change"),
    "ec2:RunInstances": ("host", "start"),
    "ec2:TerminateInstances": ("host", "end"),
    "ec2:DescribeInstances": ("host", "access"),
    "ec2:AuthorizeSecurityGroupIngress": ("network configuration", "change"),
    "ec2:DeleteFlowLogs": ("network configuration", "deletion"),
    "rds:CreateDBInstance": ("database configuration", "creation"),
    "dynamodb:PutItem": ("database", "change"),
    "lambda:CreateFunction20150331": ("process configuration", "creation"),
    "ssm:StartSession": ("session", "start"),
    "ssm:SendCommand": ("process", "start"),
    "kms:Decrypt": ("configuration", "access"),
    "secretsmanager:GetSecretValue": ("configuration", "access"),
    "cloudtrail:StopLogging": ("configuration", "change"),
    "guardduty:DeleteDetector": ("intrusion_detection configuration", "deletion"),
    "unheard-of:Frobnicate": ("configuration", "info"),
    "unheard-of:": ("configuration", "info"),
}


def wrong(category, kind):
    """Return what ECS does not allow or does not expect."""
    expected = set().union(*(CATEGORIES[name] for name in category))
    expected |= SUBJECTS if "iam" in category else set()
    unknown = set(category) - set(ALLOWED["event.category"]) | set(kind) - set(ALLOWED["event.type"])
    return unknown | set(kind) - expected


def test_the_list_is_long():
    assert len({(row[0], name) for row in ROWS for name in row[3].split()}) >= 400


@pytest.mark.parametrize(
    ("service", "category", "kind", "names"), ROWS, ids=[f"{r[0]}-{r[1]}-{r[2]}" for r in ROWS]
)
def test_calls_of_the_list(service, category, kind, names):
    for name in names.split():
        found = classify(f"{service}.amazonaws.com", name)
        assert found == (category.split(","), kind.split(",")), name
        assert not wrong(*found)


@pytest.mark.parametrize("call", BY_HAND)
def test_calls_said_by_hand(call):
    service, _, name = call.partition(":")
    category, kind = BY_HAND[call]
    assert classify(f"{service}.amazonaws.com", name) == (category.split(), kind.split())


@given(
    st.sampled_from([row[0] for row in ROWS]) | st.text(),
    st.sampled_from(["Get", "Start", "Xyz", ""]),
    st.text(),
)
def test_whatever_is_called_is_ecs(service, verb, rest):
    assert not wrong(*classify(f"{service}.amazonaws.com", verb + rest))


def test_a_huge_name_is_not_kept():
    assert classify("iam.amazonaws.com", "Create" + "A" * 1_000_000) == (["configuration"], ["info"])
