"""event.category and event.type of CloudTrail calls: families of services and the first words of names.

A call's category is its service's (or its own, for the few calls that are of another kind than their
service), its effect the first word of its name; the effect becomes the event.type that ECS expects with that
category. A write that a category does not know (a database is created) is also a configuration.
"""

from __future__ import annotations

import re
from functools import lru_cache
from types import MappingProxyType
from typing import Final

_FAMILIES: Final = {
    "iam": "iam sts sso sso-directory identitystore cognito-idp cognito-identity ds organizations "
    "access-analyzer rolesanywhere ram account",
    "authentication": "signin sso-oauth",
    "file": "s3 s3express s3-outposts glacier elasticfilesystem fsx storagegateway ebs backup",
    "host": "ec2 autoscaling lightsail workspaces elasticbeanstalk compute-optimizer",
    "database": "rds rds-data dynamodb redshift redshift-data elasticache docdb neptune neptune-db athena "
    "timestream dax qldb cassandra memorydb es opensearch glue",
    "network": "elasticloadbalancing route53 route53domains route53resolver directconnect globalaccelerator "
    "cloudfront apigateway vpc-lattice network-firewall networkmanager waf waf-regional wafv2 shield",
    "process": "lambda ecs eks batch states elasticmapreduce emr-serverless codebuild apprunner",
    "intrusion_detection": "guardduty detective macie2 securityhub",
    "vulnerability": "inspector inspector2",
    "email": "ses",
}
_FAMILY_OF: Final = {name: family for family, names in _FAMILIES.items() for name in names.split()}

_VERBS: Final = {
    "creation": "Create Run Allocate Copy Import Register Generate Issue Publish Upload Purchase Request "
    "Provision Restore Clone Initiate Insert Sign Subscribe Invite Build Bundle Replicate",
    "deletion": "Delete Terminate Release Deregister Purge Destroy Unsubscribe Deprovision Empty Abort Leave "
    "Close Forget",
    "change": "Update Modify Set Put Add Remove Attach Detach Change Enable Disable Associate Disassociate "
    "Authorize Revoke Replace Reset Rotate Tag Untag Apply Assign Unassign Activate Deactivate Move Promote "
    "Resize Schedule Accept Reject Grant Share Unshare Transfer Upgrade Archive Unarchive Merge Configure "
    "Rename Retire Confirm Complete Monitor Unmonitor Increase Decrease Switch Lock Unlock Failover Link "
    "Unlink Deploy Edit Finalize Refresh Rebuild Write Extend Suspend Advertise Withdraw Transact Upsert "
    "Resync Rollback Backtrack Switchover Deauthorize Rebalance Redrive Label Unlabel Decline Reorder "
    "Cancel Connect Disconnect Opt Continue Resend Enter Exit Record Flush",
    "start": "Start Reboot Invoke Send Execute Submit Resume Launch Trigger Restart",
    "end": "Stop Kill Hibernate Pause",
    "access": "Get List Describe Head Lookup Search Scan Query Select Read View Download Decrypt Encrypt "
    "Verify Discover Filter Retrieve Export Re Poll Receive Check Count Preview Simulate Test Validate "
    "Estimate Fetch Decode Derive Is Report Detect",
}
_EFFECT_OF: Final = {verb: effect for effect, verbs in reversed(_VERBS.items()) for verb in verbs.split()}

_EXPECTED: Final = {
    "iam": {"change", "creation", "deletion", "info"},
    "authentication": {"start", "end", "info"},
    "session": {"start", "end", "info"},
    "file": {"access", "change", "creation", "deletion", "info"},
    "host": {"access", "change", "end", "info", "start"},
    "database": {"access", "change", "info"},
    "network": {"access", "end", "info", "start"},
    "process": {"access", "change", "end", "info", "start"},
    "configuration": {"access", "change", "creation", "deletion", "info"},
    "intrusion_detection": {"info"},
    "vulnerability": {"info"},
    "email": {"info"},
}
# Calls of another kind than their service or their first word: (pattern of `service:Name`, category, effect).
_OWN_KIND: Final = tuple(
    (re.compile(pattern), category, effect)
    for pattern, category, effect in (
        (r"sts:(?:Assume|Get(?:Session|Federation))", "authentication", "start"),
        (r"cognito-[a-z]+:(?:Admin)?(?:InitiateAuth|RespondToAuth)", "authentication", "start"),
        (r"cognito-[a-z]+:(?:Admin)?(?:User)?GlobalSignOut", "authentication", "end"),
        (r"signin:(?:ConsoleLogin|SwitchRole|Federate|UserAuthentication)", "authentication", "start"),
        (r"signin:(?:ExitRole|Logout)|sso:Logout", "authentication", "end"),
        (r"sso:(?:Authenticate|Federate)", "authentication", "start"),
        (r"dynamodb:TransactGet", "database", "access"),
        (r"s3[a-z-]*:(?:Put|Post)Object\Z", "file", "creation"),
        (r"ssm:(?:Start|Resume)Session|ecs:ExecuteCommand|ec2-instance-connect:", "session", "start"),
        (r"ssm:TerminateSession", "session", "end"),
        (r"ssm:(?:SendCommand|StartAutomationExecution)|states:StartSync", "process", "start"),
        (r"ssm:(?:CancelCommand|StopAutomationExecution)", "process", "end"),
        (r"(?:ecs|batch|emr-serverless|elasticmapreduce):(?:Run|Start|Submit)[A-Z]", "process", "start"),
        (r"ec2:(?:Run|Start|Reboot)Instances|ec2:RequestSpot", "host", "start"),
        (r"ec2:(?:Terminate|Stop)Instances", "host", "end"),
        (
            r"ec2:[A-Za-z]*?(?:Vpc|SecurityGroup|Subnet|Route|Gateway|Acl|Address|Network|FlowLogs|Vpn|Dhcp)",
            "network",
            "",
        ),
    )
)
_IAM_SUBJECTS: Final = (
    ("user", re.compile(r"User|LoginProfile|AccessKey|MFADevice|SSHPublicKey|SigningCertificate")),
    ("group", re.compile(r"Group")),
    ("admin", re.compile(r"Role|Polic|Organi|Account|Provider|Permission|InstanceProfile|Trust|MFA")),
)
_FIRST_WORD: Final = re.compile(r"(?:Batch|Bulk|Admin)?([A-Z][a-z]+)")
_LONGEST: Final = 128

CATEGORIES: Final = MappingProxyType({name: frozenset(kinds) for name, kinds in _EXPECTED.items()})


def classify(service: str, action: str) -> tuple[list[str], list[str]]:
    """Return (event.category, event.type) of a call, values of ECS only; the lists are shared, read them.

    `service` is eventSource ("iam.amazonaws.com"), `action` eventName; both are a caller's text. What no
    rule knows is ["configuration"], ["info"].
    """
    if len(service) > _LONGEST or len(action) > _LONGEST:
        return ["configuration"], ["info"]
    return _classify(service, action)


@lru_cache(maxsize=2048)
def _classify(service: str, action: str) -> tuple[list[str], list[str]]:
    name = service.removesuffix(".amazonaws.com")
    category = _FAMILY_OF.get(name, "configuration")
    word = _FIRST_WORD.match(action)
    effect = _EFFECT_OF.get(word[1], "info") if word else "info"
    for pattern, own, own_effect in _OWN_KIND:
        if pattern.match(f"{name}:{action}"):
            category, effect = own, own_effect or effect
            break
    return _expected(category, effect, action)


def _expected(category: str, effect: str, action: str) -> tuple[list[str], list[str]]:
    """Fit an effect to what ECS expects of the category."""
    if category == "configuration" and effect in {"start", "end"}:
        effect = "change"
    if category == "iam":
        kind = "info" if effect == "access" else "change" if effect in {"start", "end"} else effect
        subjects = [subject for subject, pattern in _IAM_SUBJECTS if pattern.search(action)]
        return ["iam"], [kind, *subjects]
    if effect in _EXPECTED[category]:
        return [category], [effect]
    if effect in _EXPECTED["configuration"]:
        plain = effect == "access" and category in {"authentication", "session", "email"}
        return ([category], ["info"]) if plain else ([category, "configuration"], [effect])
    return [category], ["change" if "change" in _EXPECTED[category] else "info"]
