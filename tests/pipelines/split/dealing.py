"""Judging and dealing, as a build does them one after the other."""

from dataclasses import replace

from pipelines.split.folds import deal, judge, numbered_folds, without_lone_genres


def with_folds(files, config):
    groups = [file.group for file in files]
    judged, fold_of = judge(files, groups, config)
    kept = without_lone_genres(judged, groups)
    names = sorted(fold_of.values()) if any(file.fold for file in kept) else numbered_folds(config)
    folds = deal(kept, groups, fold_of, names, config)
    return [file if file.status == "rejected" else replace(file, fold=folds.get(file.group, "")) for file in kept]
