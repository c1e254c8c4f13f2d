"""What any room may use: storage, errors, tables, configuration sections, running Beam, telling the user.

May use: nothing.
"""
