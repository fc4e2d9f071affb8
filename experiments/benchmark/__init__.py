"""How fast, against how public implementations work, and how near to the machine's limit?

Question: seconds per iteration and peak memory over sizes, networks, precisions and batches; the
ratio to :mod:`experiments.benchmark.baseline`, measured A B A B in one process; the time to the
loss that the baseline has after 300 iterations; the share of the machine's own ceiling.
Command: ``python -m experiments.benchmark``, ``--quick`` for a look, ``--only versus memory`` for
parts of it.
Cost: about an hour and a half on one busy core, two thirds of it for the time to the same loss;
two minutes with ``--quick``.
Finding: docs/performance.md, which it writes with its plots, and ``outputs/benchmark.json``.

VGG-19 has random filters, on which time does not depend; where the loss counts, filters clustered
from patches.
"""
