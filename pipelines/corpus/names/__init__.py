"""What names tell, and which of them are the same: genres, artists, songs and their segments, spellings of paths."""
