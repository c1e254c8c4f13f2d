"""What a child process is made to do in tests: a module that imports little, so that it starts at once."""

import os
import resource
import subprocess
import time
from pathlib import Path

from pipelines.common.errors import FileError
from pipelines.common.reasons import Reason


def double(value):
    return 2 * value


def process_id(_):
    return os.getpid()


def apply(function_and_argument):
    """Calls whatever it is given, so that one child can do many things."""
    function, *arguments = function_and_argument
    return function(*arguments)


def loop():
    while True:
        pass


def allocate(count):
    return len(bytearray(count))


def allocate_in_a_small_machine(count):
    """Allocates more than the address space has left, as a machine without memory would refuse it."""
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + (1 << 20), resource.RLIM_INFINITY))
    return allocate(count)


def refuse(detail):
    raise FileError(Reason("silent", "no sound"), detail)


class UnpicklableError(Exception):
    def __init__(self, first, second):
        super().__init__(f"{first} {second}")


def raise_unpicklable():
    raise UnpicklableError("not", "yet")


def say_and_abort(text):
    print("on standard output", flush=True)
    os.write(2, f"{text}\n".encode())
    os.abort()


def start_another():
    return subprocess.Popen(["sleep", "1000"]).pid


def die_of(number):
    os.kill(os.getpid(), number)
    time.sleep(60)
