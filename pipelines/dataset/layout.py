"""The layout of a dataset's folder: what lies in it, and where."""

from pipelines.config import SPLITS

VERSIONS, SHARDS, TABLES, STAGING, RUNS = "versions", "shards", "tables", "staging", "runs"
"""The folders: of the commits; of the files that versions name; of records that are in no version yet; of runs."""

LEASE_NAME = f"{RUNS}/lease.json"
"""Says who is at work on the dataset."""

OUTCOME_NAME = "outcome.json"
"""Says in a run's folder how it ended; that of the last run stays."""

LISTS: dict[str, str] = {split: f"{split}.txt" for split in SPLITS}
"""The lists of the newest version's shards, for readers who know nothing of versions."""

NAMES = (VERSIONS, SHARDS, TABLES, STAGING, RUNS, "dataset.json", *LISTS.values())
"""All that may lie in the folder."""
