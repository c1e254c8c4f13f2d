import subprocess
import sys

PROGRAM = """
import logging, os, sys, warnings
from pipelines.common.output.library_warnings import suppressed
with suppressed():
    os.write(2, b"native\\n")
    warnings.warn("python's")
    logging.getLogger("library").warning("logged")
    print("ours", file=sys.stderr)
os.write(2, b"after\\n")
logging.getLogger("after").warning("logged after")
"""


def test_only_native_output_and_warnings_are_kept_from_the_terminal():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, check=True)
    assert done.stderr == b"ours\nafter\nlogged after\n"
