"""What numba caches: two processes never fill its cache at once."""

import subprocess
import sys
import threading

from pipelines.common.arrays.jit import by_one_process

_ENTER = """
from pipelines.common.arrays.jit import by_one_process
with by_one_process():
    print("entered", flush=True)
"""


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
