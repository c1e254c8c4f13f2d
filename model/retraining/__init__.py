"""Retraining as a scheduled job: what is new, a challenger, a fair comparison, a registry of champions.

A registry is a folder, by path or fsspec URL:

    <registry>/
      journal/000007.json     each verdict, promotion and rollback, created once and never changed: the newest one says
                              which bundle is the champion
      champion.json           a copy of what the newest one says, for readers; whoever comes next mends it
      bundles/<version>/      bundles; immutable. 000012-5f0c9e1a2b3c was trained on version 12 of the dataset
      runs/<run>/             of each retraining: audit, report.html, and outcome.json, which is a `RunOutcome`
      runs/lease.json         who is at work
      outcome.json            the `RunOutcome` of the last run, also where it found nothing new
      history.html            accuracy by version, promotions, growth of the corpus, drift
      work/                   where a challenger is trained; empty between retrainings

May use: pipelines, networks, config, data, inference, training, evaluation, reports.
"""
