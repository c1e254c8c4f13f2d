"""What a user sees: progress, text tables, HTML pages, plots."""
