"""Which recordings are copies of each other, by acoustic fingerprint."""
