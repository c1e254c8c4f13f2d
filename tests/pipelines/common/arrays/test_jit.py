"""What numba loads and caches: two processes never fill its cache at once."""

import os
import subprocess
import sys
import threading

from pipelines.common.arrays.jit import by_one_process

_ENTER = """
from pipelines.common.arrays.jit import by_one_process
with by_one_process():
    print("entered", flush=True)
"""


_SUM = """
import sys
import numba
import numpy as np
from pipelines.common.arrays.float16 import to_float16
print(to_float16(np.ones(2, np.float32)).tolist(), "numba.np.linalg" in sys.modules)
print(numba.njit(lambda a: (a @ a, np.cov(a)))(np.eye(2))[0].tolist())
"""


def test_what_was_compiled_is_loaded_without_what_compiles_which_comes_when_it_is_needed(tmp_path):
    for is_compiled in (True, False):
        result = subprocess.run(
            [sys.executable, "-c", _SUM],
            env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert result.stdout == f"[1.0, 1.0] {is_compiled}\n[[1.0, 0.0], [0.0, 1.0]]\n"


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
