"""Snapshots of every screen of the app as text: characters, and their styles in the dark and light themes and without colour.

`python -m tests.snapshots [NAME …]` writes them again; git shows what has changed.
"""
