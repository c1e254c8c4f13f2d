"""Who is told of a retraining, beside the terminal: Prometheus, a command, a webhook, MLflow.

What each is told is a function of the run's outcome. The registry is the truth: all of these can be down, or be told
twice of a run that was killed, and no promotion depends on them.

May use: pipelines, config, inference, retraining.
"""
