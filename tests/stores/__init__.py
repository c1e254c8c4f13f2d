"""Whole commands on object stores, against the processes of real servers."""
