"""What numba loads and caches: two processes never fill its cache at once."""

import subprocess
import sys
import threading

from pipelines.common.arrays.jit import by_one_process

_ENTER = """
from pipelines.common.arrays.jit import by_one_process
with by_one_process():
    print("entered", flush=True)
"""


_MULTIPLY = """
import sys
import numba
import numpy as np
from pipelines.common.arrays.jit import compiled
print("scipy.linalg" in sys.modules)
print(numba.njit(lambda a: (a @ a, np.cov(a)))(np.eye(2))[0].tolist())
"""


def test_blas_is_loaded_by_a_loop_that_needs_it():
    result = subprocess.run([sys.executable, "-c", _MULTIPLY], capture_output=True, text=True, check=True)
    assert result.stdout == "False\n[[1.0, 0.0], [0.0, 1.0]]\n"


def test_a_process_waits_for_the_one_that_compiles():
    with by_one_process():
        other = subprocess.Popen([sys.executable, "-c", _ENTER], stdout=subprocess.PIPE, text=True)
        line: list[str] = []
        reading = threading.Thread(target=lambda: line.append(other.stdout.readline()))
        reading.start()
        reading.join(timeout=2)
        waited = list(line)
    reading.join(timeout=60)
    assert (waited, line, other.wait()) == ([], ["entered\n"], 0)
