"""CloudTrail: machines, networks, functions, and the credentials that they hold."""

from __future__ import annotations

from typing import Final

from daemon.demo.traffic.record import hexes
from daemon.lab.sources.cloudtrail import call, role, user
from daemon.lab.stage import Stage, Technique

_PROBES: Final = (
    "iam:ListUsers iam:ListRoles iam:GetAccountAuthorizationDetails s3:ListBuckets ec2:DescribeInstances "
    "rds:DescribeDBInstances lambda:ListFunctions20150331 kms:ListKeys secretsmanager:ListSecrets "
    "ssm:DescribeParameters eks:ListClusters dynamodb:ListTables sns:ListTopics sqs:ListQueues "
    "ecr:DescribeRepositories cloudtrail:DescribeTrails organizations:ListAccounts "
    "route53:ListHostedZones logs:DescribeLogGroups guardduty:ListDetectors "
    "config:DescribeConfigurationRecorders ses:ListIdentities"
)


def miners_started(stage: Stage) -> None:
    """Start many large machines with graphics cards."""
    asked = {
        "instancesSet": {
            "items": [{"imageId": f"ami-{hexes(stage.rng, 17)}", "minCount": 8, "maxCount": 16}]
        },
        "instanceType": stage.rng.choice(("p4d.24xlarge", "g5.48xlarge", "p3.16xlarge")),
    }
    call(stage, user(stage.world, stage.person()), "ec2:RunInstances", asked)


def shell_on_machines(stage: Stage) -> None:
    """Run a shell command on machines through Systems Manager."""
    asked = {
        "documentName": "AWS-RunShellScript",
        "instanceIds": [f"i-{hexes(stage.rng, 17)}" for _ in range(3)],
        "parameters": "HIDDEN_DUE_TO_SECURITY_REASONS",
    }
    call(stage, user(stage.world, stage.person()), "ssm:SendCommand", asked)


def session_on_machine(stage: Stage) -> None:
    """Open a session on a machine through Systems Manager."""
    asked = {"target": f"i-{hexes(stage.rng, 17)}"}
    call(stage, user(stage.world, stage.person()), "ssm:StartSession", asked)


def network_opened(stage: Stage) -> None:
    """Open the port of logins or databases to the world."""
    port = stage.rng.choice((22, 3389, 5432))
    permission = {
        "ipProtocol": "tcp",
        "fromPort": port,
        "toPort": port,
        "ipRanges": {"items": [{"cidrIp": "0.0.0.0/0"}]},
    }
    asked = {"groupId": f"sg-{hexes(stage.rng, 17)}", "ipPermissions": {"items": [permission]}}
    call(stage, user(stage.world, stage.person()), "ec2:AuthorizeSecurityGroupIngress", asked)


def function_opened(stage: Stage) -> None:
    """Let everybody call a function."""
    asked = {
        "functionName": stage.names.workload(),
        "statementId": stage.names.word(),
        "action": "lambda:InvokeFunction",
        "principal": "*",
    }
    call(stage, user(stage.world, stage.person()), "lambda:AddPermission20150331v2", asked)


def machine_role_outside(stage: Stage) -> None:
    """Use the credentials that a machine's metadata service gives out, from outside."""
    who = role(stage, stage.names.workload(), f"i-{hexes(stage.rng, 17)}")
    who["sessionContext"]["ec2RoleDelivery"] = "2.0"
    for action in ("sts:GetCallerIdentity", "s3:ListBuckets", "secretsmanager:ListSecrets", "iam:ListRoles"):
        call(stage, who, action)


def secrets_swept(stage: Stage) -> None:
    """Read many secrets, one after the other."""
    who = user(stage.world, stage.person())
    with stage.aside():
        call(stage, who, "secretsmanager:ListSecrets")
    for _ in range(stage.rng.randint(22, 30)):
        call(stage, who, "secretsmanager:GetSecretValue", {"secretId": stage.names.thing()})


def user_data_swept(stage: Stage) -> None:
    """Read the start scripts of many machines."""
    who = user(stage.world, stage.person())
    for _ in range(stage.rng.randint(15, 22)):
        asked = {"instanceId": f"i-{hexes(stage.rng, 17)}", "attribute": "userData"}
        call(stage, who, "ec2:DescribeInstanceAttribute", asked)


def region_enabled(stage: Stage) -> None:
    """Switch on a region that nobody watches."""
    asked = {"RegionName": stage.rng.choice(("af-south-1", "ap-east-1", "me-south-1"))}
    call(stage, user(stage.world, stage.person()), "account:EnableRegion", asked)


def cluster_access(stage: Stage) -> None:
    """Give oneself the rights of an administrator in the cluster."""
    person = stage.person()
    who = user(stage.world, person)
    asked = {"name": stage.world.cluster, "principalArn": who["arn"]}
    call(stage, who, "eks:CreateAccessEntry", asked)
    policy = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
    call(
        stage,
        who,
        "eks:AssociateAccessPolicy",
        {**asked, "policyArn": policy, "accessScope": {"type": "cluster"}},
    )


def rights_probed(stage: Stage) -> None:
    """Try many calls with a found key, nearly all refused."""
    who = user(stage.world, stage.person())
    for action in _PROBES.split():
        call(stage, who, action, error="AccessDenied")


TECHNIQUES: Final = (
    Technique("aws-miners-started", "Large machines started", miners_started, ("T1496.001",)),
    Technique(
        "aws-shell-on-machines", "Shell command sent to machines", shell_on_machines, ("T1651",), "medium"
    ),
    Technique(
        "aws-session-on-machine", "Session opened on a machine", session_on_machine, ("T1021.007",), "medium"
    ),
    Technique("aws-network-opened", "Port opened to the world", network_opened, ("T1686.001",)),
    Technique("aws-function-opened", "Function opened to everybody", function_opened, ("T1648",)),
    Technique(
        "aws-machine-role-outside", "Machine's credentials used outside", machine_role_outside, ("T1552.005",)
    ),
    Technique("aws-secrets-swept", "Secrets read in a row", secrets_swept, ("T1555.006",)),
    Technique(
        "aws-user-data-swept", "Start scripts read in a row", user_data_swept, ("T1552.005",), "medium"
    ),
    Technique("aws-region-enabled", "Unused region switched on", region_enabled, ("T1535",)),
    Technique("aws-cluster-access", "Cluster administrator by access entry", cluster_access, ("T1098.006",)),
    Technique("aws-rights-probed", "Rights of a key tried out", rights_probed, ("T1580",), "medium"),
)
