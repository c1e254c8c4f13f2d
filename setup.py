"""Which packages there are; `pyproject.toml` says all else. Beam stages this to workers: `--setup_file ./setup.py`."""

from setuptools import find_packages, setup

setup(
    packages=find_packages(include=["configs", "model*", "pipelines*", "spectroshard*"]),
    package_data={
        "configs": ["*.yaml", "dataflow/*", "runners/*.yaml", "schedules/*"],
        "model": ["**/*.html"],
        "pipelines": ["**/*.html"],
        "spectroshard": ["py.typed"],
    },
)
