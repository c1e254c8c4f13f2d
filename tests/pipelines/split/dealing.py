"""Judging and dealing, as a build does them one after the other."""

from pipelines.split.folds import deal, judge


def with_folds(files, config):
    judged, fold_of = judge(files, config)
    return deal(judged, fold_of, config)
