"""A synthesiser: a corpus that needs no download."""
