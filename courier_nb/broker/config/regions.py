"""The regions of the real service and where each fails over to."""

from __future__ import annotations

# Of the US control plane, and eu-central-1 of the EU control plane, which has its own eu-west-1.
FALLBACK_REGIONS = {
    "us-east-1": "us-east-2",
    "us-east-2": "us-west-2",
    "us-west-2": "ca-central-1",
    "ca-central-1": "us-east-1",
    "eu-west-1": "eu-west-2",
    "eu-west-2": "eu-west-1",
    "eu-central-1": "eu-west-1",
    "ap-southeast-1": "ap-northeast-1",
    "ap-northeast-1": "ap-southeast-2",
    "ap-southeast-2": "ap-southeast-1",
}
FALLBACK_SUFFIX = "_fb"
