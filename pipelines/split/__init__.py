"""Who stays together and who goes where: groups, folds, shards, and what earlier builds decided."""
