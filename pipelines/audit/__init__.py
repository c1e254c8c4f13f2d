"""Does a split leak? Of a dataset, or of anyone's files."""
