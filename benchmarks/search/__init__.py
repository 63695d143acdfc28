"""Benchmarks of the samplers and stopping rules.

Importing this package sets the number of threads of the numeric libraries to 1: several threads per process only slow
each other down here.
"""

import os

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"
