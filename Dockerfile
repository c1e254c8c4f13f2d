# The image for workers of a cluster, and for launching builds on Dataflow as a Flex Template. Build it from a checkout:
#   docker build --tag REGION-docker.pkg.dev/PROJECT/REPOSITORY/spectroshard .
# TensorFlow is not in it: builds and audits need none. For predict and evaluate --build-arg EXTRAS=dataflow,train
ARG BEAM_VERSION=2.77.0
FROM apache/beam_python3.11_sdk:${BEAM_VERSION} AS beam
FROM gcr.io/dataflow-templates-base/python311-template-launcher-base:20250911-rc00 AS launcher

FROM python:3.11-slim
ARG EXTRAS=dataflow
# The versions are those of the Debian that the image is based on.
# hadolint ignore=DL3008
RUN apt-get update && \
    apt-get install --yes --no-install-recommends libsndfile1 && \
    rm -rf /var/lib/apt/lists/*

WORKDIR /opt/spectroshard
COPY pyproject.toml setup.py constraints.txt README.md ./
COPY configs configs
COPY model model
COPY pipelines pipelines
COPY spectroshard spectroshard
RUN pip install --no-cache-dir --constraint constraints.txt ".[${EXTRAS}]"

# Beam's boot program starts a worker, here as any user; what numba compiles is kept where that user may write.
COPY --from=beam /opt/apache/beam /opt/apache/beam
COPY --from=launcher /opt/google/dataflow/python_template_launcher /opt/google/dataflow/python_template_launcher
ENV RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT=1 \
    NUMBA_CACHE_DIR=/tmp/numba \
    FLEX_TEMPLATE_PYTHON_PY_FILE=/opt/spectroshard/configs/dataflow/launch.py
USER 10001:10001
ENTRYPOINT ["/opt/apache/beam/boot"]
