"""CloudTrail: data opened, carried off, destroyed, and its backups before it."""

from __future__ import annotations

from typing import Final

from daemon.demo.traffic.record import hexes
from daemon.lab.sources.cloudtrail import call, data_call, user
from daemon.lab.stage import Stage, Technique


def bucket_public(stage: Stage) -> None:
    """Let everybody read a bucket, by policy."""
    who, bucket = user(stage.world, stage.person()), stage.world.data_bucket
    with stage.aside():
        call(stage, who, "s3:ListBuckets", {"Host": "s3.amazonaws.com"})
    arn = f"arn:aws:s3:::{bucket}/*"
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": arn}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    call(stage, who, "s3:PutBucketPolicy", {"bucketName": bucket, "bucketPolicy": policy, "policy": ""})


def access_block_off(stage: Stage) -> None:
    """Switch off what keeps a bucket from becoming public."""
    asked = {"bucketName": stage.world.data_bucket, "publicAccessBlock": ""}
    call(stage, user(stage.world, stage.person()), "s3:DeleteBucketPublicAccessBlock", asked)


def snapshot_public(stage: Stage) -> None:
    """Give the snapshot of a disk to everybody."""
    asked = {
        "snapshotId": f"snap-{hexes(stage.rng, 17)}",
        "createVolumePermission": {"add": {"items": [{"group": "all"}]}},
        "attributeType": "CREATE_VOLUME_PERMISSION",
    }
    call(stage, user(stage.world, stage.person()), "ec2:ModifySnapshotAttribute", asked, {"_return": True})


def _share(stage: Stage, who: dict[str, object], account: str) -> None:
    asked = {
        "attributeName": "restore",
        "dBSnapshotIdentifier": f"{stage.world.database}-{stage.names.word()}",
        "valuesToAdd": [account],
    }
    call(stage, who, "rds:ModifyDBSnapshotAttribute", asked)


def database_snapshot_public(stage: Stage) -> None:
    """Give the snapshot of a database to everybody."""
    _share(stage, user(stage.world, stage.person()), "all")


def snapshot_shared(stage: Stage) -> None:
    """Take a snapshot of a database and give it to another account."""
    who = user(stage.world, stage.person())
    with stage.aside():
        call(stage, who, "rds:CreateDBSnapshot", {"dBInstanceIdentifier": stage.world.database})
    _share(stage, who, stage.names.digits(12))


def bucket_ransomed(stage: Stage) -> None:
    """Write the objects of a bucket anew with a key that only the thief has."""
    who, bucket, prefix = user(stage.world, stage.person()), stage.world.data_bucket, stage.names.thing()
    for _ in range(stage.rng.randint(14, 30)):
        key = f"{prefix}/{hexes(stage.rng, 12)}.parquet"
        data_call(
            stage,
            who,
            "s3:CopyObject",
            {
                "bucketName": bucket,
                "key": key,
                "x-amz-copy-source": f"{bucket}/{key}",
                "x-amz-server-side-encryption-customer-algorithm": "AES256",
                "Host": f"{bucket}.s3.amazonaws.com",
            },
            additionalEventData={"SSEApplied": "SSE_C", "SignatureVersion": "SigV4"},
        )


def objects_deleted(stage: Stage) -> None:
    """Delete the objects of a bucket one after the other."""
    who, bucket = user(stage.world, stage.person()), stage.world.data_bucket
    for _ in range(stage.rng.randint(60, 90)):
        asked = {"bucketName": bucket, "key": f"{hexes(stage.rng, 8)}.csv"}
        data_call(stage, who, "s3:DeleteObject", asked, readOnly=False)


def versions_deleted(stage: Stage) -> None:
    """Delete the objects of a bucket with all their versions."""
    who, bucket = user(stage.world, stage.person()), stage.world.data_bucket
    for _ in range(stage.rng.randint(60, 90)):
        asked = {"bucketName": bucket, "key": f"{hexes(stage.rng, 8)}.csv", "versionId": hexes(stage.rng, 32)}
        data_call(stage, who, "s3:DeleteObject", asked, readOnly=False)


def _key_disabled(stage: Stage, who: dict[str, object]) -> None:
    key = stage.world.arn("kms", f"key/{hexes(stage.rng, 32)}")
    call(stage, who, "kms:DisableKey", {"keyId": key}, None)


def key_disabled(stage: Stage) -> None:
    """Disable a key of the key service."""
    _key_disabled(stage, user(stage.world, stage.person()))


def key_deletion(stage: Stage) -> None:
    """Have a key deleted after the shortest time allowed."""
    asked = {"keyId": stage.world.arn("kms", f"key/{hexes(stage.rng, 32)}"), "pendingWindowInDays": 7}
    call(stage, user(stage.world, stage.person()), "kms:ScheduleKeyDeletion", asked)


def _deleted(stage: Stage, who: dict[str, object]) -> None:
    asked = {
        "dBInstanceIdentifier": stage.world.database,
        "skipFinalSnapshot": True,
        "deleteAutomatedBackups": True,
    }
    call(stage, who, "rds:DeleteDBInstance", asked, {"dBInstanceStatus": "deleting"})


def database_deleted(stage: Stage) -> None:
    """Delete a database without a last snapshot."""
    _deleted(stage, user(stage.world, stage.person()))


def net_cut_and_deleted(stage: Stage) -> None:
    """Switch off backups and the deletion lock of a database, then delete it."""
    who = user(stage.world, stage.person())
    asked = {
        "dBInstanceIdentifier": stage.world.database,
        "backupRetentionPeriod": 0,
        "deletionProtection": False,
        "applyImmediately": True,
    }
    call(stage, who, "rds:ModifyDBInstance", asked)
    stage.wait(120, 1800)
    _deleted(stage, who)


def _backup_deleted(stage: Stage, who: dict[str, object]) -> None:
    point = stage.world.arn("backup", f"recovery-point:{hexes(stage.rng, 32)}")
    asked = {"backupVaultName": stage.names.thing(), "recoveryPointArn": point}
    call(stage, who, "backup:DeleteRecoveryPoint", asked)


def backups_deleted(stage: Stage) -> None:
    """Delete recovery points."""
    who = user(stage.world, stage.person())
    for _ in range(stage.rng.randint(3, 6)):
        _backup_deleted(stage, who)


def ransom_chain(stage: Stage) -> None:
    """Delete the backups, carry the data off, disable the key."""
    who = user(stage.world, stage.person())
    _backup_deleted(stage, who)
    stage.wait(200, 1500)
    _share(stage, who, stage.names.digits(12))
    stage.wait(200, 1500)
    _key_disabled(stage, who)


def versioning_off(stage: Stage) -> None:
    """Suspend the versions of a bucket, so that what is overwritten is gone."""
    asked = {
        "bucketName": stage.world.data_bucket,
        "VersioningConfiguration": {"Status": "Suspended"},
        "versioning": "",
    }
    call(stage, user(stage.world, stage.person()), "s3:PutBucketVersioning", asked)


def replicated_away(stage: Stage) -> None:
    """Have a bucket copied to one of an unknown account."""
    account = stage.names.digits(12)
    rule = {
        "ID": stage.names.word(),
        "Status": "Enabled",
        "Destination": {"Bucket": f"arn:aws:s3:::{stage.names.thing()}", "Account": account},
    }
    asked = {
        "bucketName": stage.world.data_bucket,
        "replication": "",
        "ReplicationConfiguration": {
            "Role": stage.world.arn("iam", "role/copy", regional=False),
            "Rule": rule,
        },
    }
    call(stage, user(stage.world, stage.person()), "s3:PutBucketReplication", asked)


TECHNIQUES: Final = (
    Technique("aws-bucket-public", "Bucket opened to everybody", bucket_public, ("T1530",)),
    Technique("aws-access-block-off", "Guard against public buckets removed", access_block_off, ("T1685",)),
    Technique("aws-snapshot-public", "Disk snapshot made public", snapshot_public, ("T1537",), "critical"),
    Technique(
        "aws-database-snapshot-public",
        "Database snapshot made public",
        database_snapshot_public,
        ("T1537",),
        "critical",
    ),
    Technique(
        "aws-snapshot-shared", "Database snapshot given to another account", snapshot_shared, ("T1537",)
    ),
    Technique(
        "aws-bucket-ransomed",
        "Bucket encrypted with the thief's key",
        bucket_ransomed,
        ("T1486",),
        "critical",
    ),
    Technique("aws-objects-deleted", "Objects of a bucket deleted in a row", objects_deleted, ("T1485",)),
    Technique("aws-versions-deleted", "Objects deleted with all versions", versions_deleted, ("T1485",)),
    Technique("aws-key-disabled", "Key disabled", key_disabled, ("T1485",)),
    Technique("aws-key-deletion", "Key to be deleted", key_deletion, ("T1485",)),
    Technique(
        "aws-database-deleted",
        "Database deleted without a snapshot",
        database_deleted,
        ("T1485",),
        "critical",
    ),
    Technique(
        "aws-net-cut-and-deleted",
        "Backups of a database off, then it is deleted",
        net_cut_and_deleted,
        ("T1490", "T1485"),
        "critical",
    ),
    Technique("aws-backups-deleted", "Backups deleted", backups_deleted, ("T1490",)),
    Technique(
        "aws-ransom-chain",
        "Backups deleted, data shared, key disabled",
        ransom_chain,
        ("T1490", "T1486"),
        "critical",
    ),
    Technique("aws-versioning-off", "Versions of a bucket suspended", versioning_off, ("T1490",)),
    Technique("aws-replicated-away", "Bucket copied to an unknown account", replicated_away, ("T1537",)),
)
