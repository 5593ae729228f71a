"""fleetward: a GitOps reconciler with policy-as-code for fleets of Kubernetes clusters."""

__version__ = "0.1.0"
