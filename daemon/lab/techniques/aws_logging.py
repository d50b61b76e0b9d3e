"""CloudTrail: what watches the account is blinded."""

from __future__ import annotations

from typing import Final

from daemon.demo.traffic.record import hexes
from daemon.lab.sources.cloudtrail import call, user
from daemon.lab.stage import Stage, Technique


def trail_stopped(stage: Stage) -> None:
    """Look which trails there are, then stop the one that logs."""
    who = user(stage.world, stage.person())
    with stage.aside():
        call(stage, who, "cloudtrail:DescribeTrails", {"trailNameList": []})
    call(
        stage,
        who,
        "cloudtrail:StopLogging",
        {"name": stage.world.arn("cloudtrail", f"trail/{stage.world.trail}")},
    )


def trail_deleted(stage: Stage) -> None:
    """Delete the trail."""
    call(stage, user(stage.world, stage.person()), "cloudtrail:DeleteTrail", {"name": stage.world.trail})


def trail_narrowed(stage: Stage) -> None:
    """Leave management events out of the trail."""
    selector = {"readWriteType": "ReadOnly", "includeManagementEvents": False, "dataResources": []}
    call(
        stage,
        user(stage.world, stage.person()),
        "cloudtrail:PutEventSelectors",
        {"trailName": stage.world.trail, "eventSelectors": [selector]},
        {"trailARN": stage.world.arn("cloudtrail", f"trail/{stage.world.trail}")},
    )


def log_bucket_expires(stage: Stage) -> None:
    """Let the objects of the log bucket expire after a day."""
    rule = {"ID": stage.names.word(), "Status": "Enabled", "Prefix": "", "Expiration": {"Days": 1}}
    call(
        stage,
        user(stage.world, stage.person()),
        "s3:PutBucketLifecycle",
        {"bucketName": stage.world.log_bucket, "LifecycleConfiguration": {"Rule": rule}, "lifecycle": ""},
    )


def cluster_audit_off(stage: Stage) -> None:
    """Switch the audit log of the cluster off."""
    kinds = ["api", "audit", "authenticator", "controllerManager", "scheduler"]
    call(
        stage,
        user(stage.world, stage.person()),
        "eks:UpdateClusterConfig",
        {"name": stage.world.cluster, "logging": {"clusterLogging": [{"types": kinds, "enabled": False}]}},
        {"update": {"id": hexes(stage.rng, 32), "status": "InProgress", "type": "LoggingUpdate"}},
    )


def audit_log_group_deleted(stage: Stage) -> None:
    """Delete the log group of the cluster's audit log."""
    group = f"/aws/eks/{stage.world.cluster}/cluster"
    call(stage, user(stage.world, stage.person()), "logs:DeleteLogGroup", {"logGroupName": group})


def subscription_cut(stage: Stage) -> None:
    """Cut the way of the audit log to whoever reads it."""
    call(
        stage,
        user(stage.world, stage.person()),
        "logs:DeleteSubscriptionFilter",
        {"logGroupName": f"/aws/eks/{stage.world.cluster}/cluster", "filterName": stage.names.thing()},
    )


def flow_logs_deleted(stage: Stage) -> None:
    """Delete the flow logs of the network."""
    asked = {"DeleteFlowLogsRequest": {"FlowLogId": {"tag": 1, "content": f"fl-{hexes(stage.rng, 17)}"}}}
    call(stage, user(stage.world, stage.person()), "ec2:DeleteFlowLogs", asked)


def detector_deleted(stage: Stage) -> None:
    """Delete the detector of GuardDuty."""
    call(
        stage,
        user(stage.world, stage.person()),
        "guardduty:DeleteDetector",
        {"detectorId": hexes(stage.rng, 32)},
    )


def recorder_stopped(stage: Stage) -> None:
    """Stop the recorder of Config."""
    call(
        stage,
        user(stage.world, stage.person()),
        "config:StopConfigurationRecorder",
        {"configurationRecorderName": "default"},
    )


TECHNIQUES: Final = (
    Technique("aws-trail-stopped", "Trail stopped", trail_stopped, ("T1685.002",), "critical"),
    Technique("aws-trail-deleted", "Trail deleted", trail_deleted, ("T1685.002",), "critical"),
    Technique(
        "aws-trail-narrowed", "Management events left out of the trail", trail_narrowed, ("T1685.002",)
    ),
    Technique(
        "aws-log-bucket-expires",
        "Log bucket emptied by its lifecycle",
        log_bucket_expires,
        ("T1485.001",),
        needs=("aws_log_buckets",),
    ),
    Technique(
        "aws-cluster-audit-off",
        "Cluster's audit log switched off",
        cluster_audit_off,
        ("T1685.002",),
        "critical",
    ),
    Technique(
        "aws-log-group-deleted", "Log group of the audit log deleted", audit_log_group_deleted, ("T1685.002",)
    ),
    Technique("aws-subscription-cut", "Way of the audit log cut", subscription_cut, ("T1685.002",)),
    Technique("aws-flow-logs-deleted", "Flow logs deleted", flow_logs_deleted, ("T1685.002",)),
    Technique("aws-detector-deleted", "Detector of GuardDuty deleted", detector_deleted, ("T1685",)),
    Technique("aws-recorder-stopped", "Recorder of Config stopped", recorder_stopped, ("T1685",)),
)
