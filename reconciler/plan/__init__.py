"""Desired x live -> plan. Pure: it knows nothing of HTTP, clocks or Git.

Three steps, each a function: ``triage`` says which objects need a closer look (a dry-run apply),
``build_plan`` turns desired, record, live and those looks into changes, ``authorize`` holds the plan
against the guards and raises, or returns the plan as one that may be signed. ``compare`` plans between
two commits without a cluster.
"""

from reconciler.plan.authorize import CODES, NOTHING_ALLOWED, Allowances, AuthorizedPlan, authorize
from reconciler.plan.build import build_plan, compare
from reconciler.plan.changes import Action, Change, FieldChange, Plan
from reconciler.plan.diff import diff_objects
from reconciler.plan.leaving import leaving_plan, nothing
from reconciler.plan.triage import triage

__all__ = [
    "CODES",
    "NOTHING_ALLOWED",
    "Action",
    "Allowances",
    "AuthorizedPlan",
    "Change",
    "FieldChange",
    "Plan",
    "authorize",
    "build_plan",
    "compare",
    "diff_objects",
    "leaving_plan",
    "nothing",
    "triage",
]
