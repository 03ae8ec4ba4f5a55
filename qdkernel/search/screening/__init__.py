"""Which of several drafts is evaluated: a model of speed over genomes, and the order in which it ranks them."""

from qdkernel.search.screening.ranking import Screening

__all__ = ["Screening"]
