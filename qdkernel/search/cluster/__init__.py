"""Searches whose kernels are evaluated on other machines, one archive for each class of machine."""

from qdkernel.search.cluster.groups import NodeGroup, open_cluster, share_of_budget

__all__ = ["NodeGroup", "open_cluster", "share_of_budget"]
