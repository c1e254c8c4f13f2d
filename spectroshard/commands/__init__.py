"""What each verb of the command line does: the rooms' functions, and what is printed of their results.

Each imports what it needs when it is called, what is cheap first, so that a slip is refused at once.
"""
