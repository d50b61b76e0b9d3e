"""Which AWS services are of which category, which of their calls count there, and the calls that differ."""

from __future__ import annotations

import re
from typing import Final

_ALL: Final = re.compile("")
_INSTANCES: Final = re.compile(
    r"Instance(?!Connect|EventWindow|Type)|PasswordData|Console(?:Output|Screenshot)|Host"
)
# (category, services, what a call's name must hold to count there); the rest is configuration.
FAMILIES: Final = tuple(
    (category, frozenset(services.split()), about)
    for category, services, about in (
        (
            "iam",
            "iam sts sso sso-directory identitystore cognito-idp cognito-identity ds organizations "
            "access-analyzer rolesanywhere ram account",
            _ALL,
        ),
        ("authentication", "signin sso-oauth", _ALL),
        (
            "file",
            "s3 s3express s3-outposts glacier ebs",
            re.compile(r"Object(?!Lock|Lambda)|Multipart|Part|Archive\Z|JobOutput|SnapshotBlock"),
        ),
        (
            "host",
            "ec2 lightsail autoscaling workspaces",
            re.compile(rf"{_INSTANCES.pattern}|\AWorkspaces|Workspaces\Z"),
        ),
        (
            "database",
            "rds rds-data dynamodb redshift redshift-data elasticache docdb neptune neptune-db athena "
            "timestream dax qldb cassandra memorydb",
            _ALL,
        ),
        (
            "process",
            "lambda ecs batch states elasticmapreduce emr-serverless codebuild apprunner ssm",
            re.compile(
                r"\A(?:Invoke|(?:Run|Start|Stop|Submit|Terminate|Cancel)(?:Task|Job|Build|Execution|Sync))"
            ),
        ),
        (
            "intrusion_detection",
            "guardduty detective macie2 securityhub",
            re.compile(r"\A(?:Batch)?[GLDI].*Finding"),
        ),
        ("vulnerability", "inspector inspector2", re.compile(r"\A(?:Batch)?[GLDS].*Finding")),
        ("email", "ses", re.compile(r"\ASend")),
    )
)
# Calls of another kind than their service or their first word: (pattern of `service:Name`, category, effect);
# an effect of "" leaves that of the first word.
EXCEPTIONS: Final = tuple(
    (re.compile(pattern), category, effect)
    for pattern, category, effect in (
        (r"sts:(?:Assume|Get(?:Session|Federation|WebIdentity|DelegatedAccess))", "authentication", "start"),
        (
            r"signin:(?:ConsoleLogin|SwitchRole|RenewRole|Federate|UserAuthentication|CredentialVerification|"
            r"GetSigninToken)",
            "authentication",
            "start",
        ),
        (r"signin:(?:ExitRole|Logout)|sso:Logout", "authentication", "end"),
        (r"signin:(?:Password|Email)[A-Za-z]*", "iam", "change"),
        (
            r"sso:(?:Authenticate|Federate|GetRoleCredentials)|sso-oauth:(?:CreateToken|StartDevice)",
            "authentication",
            "start",
        ),
        (r"sso-oauth:RegisterClient", "iam", "creation"),
        (
            r"cognito-idp:(?:Admin)?(?:InitiateAuth|RespondToAuth)|cognito-identity:Get(?:Credentials|OpenIdToken|Id\Z)",
            "authentication",
            "start",
        ),
        (r"cognito-idp:(?:Admin)?(?:User)?GlobalSignOut|cognito-idp:RevokeToken", "authentication", "end"),
        (r"cognito-idp:SignUp", "iam", "creation"),
        (r"cognito-idp:(?:Forgot|AdminResetUser)", "iam", "change"),
        (
            r"(?:ecr|ecr-public|codeartifact):GetAuthorizationToken|redshift[a-z-]*:GetC[a-z]*Credentials",
            "authentication",
            "start",
        ),
        (r"iam:(?:Generate[A-Za-z]*(?:Report|Details)|Send)", "iam", "info"),
        (r"organizations:(?:Register|Deregister)Delegated", "iam", "change"),
        (
            r"eks:(?:[A-Z][a-z]+)(?:AccessEntr|AccessPolic|AssociatedAccess|IdentityProviderConfig|PodIdentity)",
            "iam",
            "",
        ),
        (r"s3[a-z-]*:(?:Delete|Put)ObjectTagging|s3[a-z-]*:RestoreObject", "file", "change"),
        (r"s3[a-z-]*:(?:Put|Post)Object\Z", "file", "creation"),
        (r"ec2-instance-connect:(?:Send|Open)|cloudshell:CreateSession", "session", "start"),
        (r"ssm:(?:Start|Resume)Session|ecs:ExecuteCommand", "session", "start"),
        (r"ssm:TerminateSession", "session", "end"),
        (r"ssm:(?:SendCommand|StartAutomationExecution)", "process", "start"),
        (r"ssm:(?:CancelCommand|StopAutomationExecution)", "process", "end"),
        (
            r"(?:elasticmapreduce|emr-serverless|batch|ecs):(?:RunJobFlow|RunTask|StartTask|SubmitJob|StartJobRun|"
            r"AddJobFlowSteps)",
            "process",
            "start",
        ),
        (
            r"(?:elasticmapreduce|ecs|batch):(?:TerminateJobFlows|StopTask|TerminateJob|CancelJob)",
            "process",
            "end",
        ),
        (
            r"ec2:(?:Run|Start|Reboot)Instances|ec2:RequestSpot|lightsail:(?:CreateInstances\Z|StartInstance\Z|"
            r"RebootInstance\Z)|workspaces:(?:Start|Reboot)Workspaces",
            "host",
            "start",
        ),
        (
            r"ec2:(?:Terminate|Stop)Instances|lightsail:(?:StopInstance|DeleteInstance)\Z|"
            r"autoscaling:TerminateInstance|workspaces:(?:Stop|Terminate)Workspaces",
            "host",
            "end",
        ),
        (
            r"dynamodb:(?:TransactGet|Export)|athena:StartQuery|timestream:Query|rds:StartExportTask|"
            r"(?:rds-data|redshift-data):(?:Batch)?ExecuteS",
            "database",
            "access",
        ),
        (r"dynamodb:(?:Batch)?Execute", "database", "change"),
        (r"dynamodb:(?:Put|Update|Delete|BatchWrite)Item", "database", "change"),
        (r"kms:(?:Generate|ReEncrypt|Sign|Verify|Derive)", "configuration", "access"),
        (r"kms:ScheduleKeyDeletion", "configuration", "deletion"),
        (r"kms:ImportKeyMaterial", "configuration", "change"),
        (r"secretsmanager:GetRandomPassword", "configuration", "info"),
        (r"secretsmanager:(?:Start|End)SecretVersionDelete", "configuration", "deletion"),
        (r"ecr(?:-public)?:PutImage\Z", "configuration", "creation"),
        (r"bedrock[a-z-]*:(?:Invoke|Converse|Retrieve)", "configuration", "access"),
        (r"(?:logs|cloudtrail):StartQuery", "configuration", "access"),
        (
            r"rds:Restore|[a-z]+:RestoreFromClusterSnapshot|dynamodb:RestoreTable|ec2:RestoreSnapshot",
            "configuration",
            "creation",
        ),
        (r"securityhub:BatchImportFindings", "intrusion_detection", "info"),
    )
)
SUBJECTS: Final = (
    (
        "user",
        re.compile(
            r"User(?!PoolClient|PoolDomain|Pool)|LoginProfile|AccessKey|MFADevice|SSHPublicKey|SigningCertificate|"
            r"ServiceSpecificCredential|Password(?!Policy|Data)|SignUp"
        ),
    ),
    ("group", re.compile(r"Group")),
    (
        "admin",
        re.compile(
            r"Role|Polic|Organi|Account|Provider|Permission|InstanceProfile|Trust|Admin|UserPool|AccessEntr|"
            r"AccessPolic|PodIdentity|IdentityPool"
        ),
    ),
)
