"""The names at the top of each source's records, as the source's own documentation lists them.

CloudTrail: "CloudTrail record contents" of the AWS user guide (version 1.11, Insights). Kubernetes: the Event
of audit.k8s.io, v1 and the older ones. Vault: the audit entries of HashiCorp Vault and OpenBao. The mesh's
formats are the operator's own, so nothing is known of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_CLOUDTRAIL: Final = (
    "addendum additionalEventData annotation apiVersion awsRegion edgeDeviceDetails errorCode errorMessage "
    "eventCategory eventContext eventID eventName eventSource eventTime eventType eventVersion "
    "insightDetails managementEvent readOnly recipientAccountId requestID requestParameters resources "
    "responseElements serviceEventDetails sessionCredentialFromConsole sharedEventID sourceIPAddress "
    "tlsDetails userAgent userIdentity vpcEndpointAccountId vpcEndpointId"
)
_KUBERNETES: Final = (
    "annotations apiVersion auditID authenticationMetadata impersonatedUser kind level metadata objectRef "
    "requestObject requestReceivedTimestamp requestURI responseObject responseStatus sourceIPs stage "
    "stageTimestamp timestamp user userAgent verb"
)
_VAULT: Final = "auth error forwarded_from request response time type"
RECORD_NAMES: Final[Mapping[str, frozenset[str]]] = {
    "cloudtrail": frozenset(_CLOUDTRAIL.split()),
    "kubernetes_audit": frozenset(_KUBERNETES.split()),
    "vault_audit": frozenset(_VAULT.split()),
}
"""By source kind; a kind that is not here may have any name."""
