"""compile: a Fleet and a Cluster become the Kubernetes objects that the member should have. Pure.

>>> from reconciler.compile import compile_cluster  # doctest: +SKIP
>>> compiled = compile_cluster(fleet, fleet.clusters[0])  # doctest: +SKIP
>>> [str(item.ref) for item in compiled.desired.objects], compiled.findings  # doctest: +SKIP
(['NetworkPolicy.networking.k8s.io shop/dns'], ())
"""

from reconciler.compile.codes import CODES
from reconciler.compile.engine import Compiled, compile_cluster, compile_fleet
from reconciler.compile.registry import KINDS

__all__ = ["CODES", "KINDS", "Compiled", "compile_cluster", "compile_fleet"]
