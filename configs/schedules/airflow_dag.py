"""Airflow: a DAG of one task, to be copied into the folder of DAGs. Written for Airflow 3.

The workers have `spectroshard` on their PATH, and the configuration at the path below. Exit codes: 0, done or nothing
new, is a success; 3, another retraining is at work, skips the task; 1, failed, and 2, the configuration is wrong, fail
it. A task that was killed goes on where it was.
"""

from datetime import datetime, timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

CONFIG = "/srv/spectroshard/retraining.yaml"

with DAG(
    "spectroshard_retrain",
    schedule="17 3 * * 1",
    start_date=datetime(2026, 1, 5),
    catchup=False,  # one run makes up for all that were missed
    max_active_runs=1,
) as dag:
    BashOperator(
        task_id="retrain",
        bash_command=f"exec spectroshard retrain {CONFIG}",
        env={"SPECTROSHARD_LOG": "json"},
        append_env=True,  # PATH and secrets are the worker's
        do_xcom_push=False,
        skip_on_exit_code=3,
        retries=3,
        retry_delay=timedelta(minutes=2),  # the lease of a worker that died expires after one
        execution_timeout=timedelta(days=1),
    )
