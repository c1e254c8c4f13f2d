"""Installs the packages `pipelines` and `model` and the command `spectroshard`; Beam stages it to workers."""

from setuptools import find_packages, setup

setup(
    name="spectroshard",
    version="0.1.0",
    description="Songs to spectrogram TFRecords, sharded by song, and a genre CNN trained on them.",
    python_requires=">=3.11,<3.13",
    packages=find_packages(include=["configs", "model*", "pipelines*", "spectroshard*"]),
    package_data={"configs": ["*.yaml"], "model.reports": ["*.html"], "pipelines": ["**/*.html"]},
    entry_points={"console_scripts": ["spectroshard = spectroshard.cli:main"]},
    install_requires=[
        "apache-beam>=2.77,<2.78",
        "fsspec>=2026.9",
        "gcsfs>=2026.9",
        "google-crc32c>=1.7",
        "imageio-ffmpeg>=0.6",
        "jinja2>=3.1",
        "librosa>=0.11,<0.12",
        "markupsafe>=3.0",
        "matplotlib>=3.10",
        "mutagen>=1.47",
        "numba>=0.61",
        "numpy>=2.2",
        "pillow>=11",
        "pyarrow>=22",
        "pydantic>=2.11",
        "pyyaml>=6",
        "scikit-learn>=1.6",
        "scipy>=1.15",
        "s3fs>=2026.9",  # an unpinned one resolves to 0.4.2 beside other AWS packages
        "soundfile>=0.13",
        "soxr>=1.0",
        "threadpoolctl>=3.5",
        "xxhash>=3.5",
    ],
    extras_require={
        # Build workers never import TensorFlow, so they need not install it.
        "train": ["tensorboard>=2.20", "tensorflow>=2.21,<2.22", "tensorflow-io==0.37.1"],
        "dev": ["hypothesis", "mypy", "pytest", "ruff", "types-PyYAML"],
    },
)
