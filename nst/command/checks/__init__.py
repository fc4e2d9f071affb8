"""What is checked before a folder is made: a run, and every job of a sweep."""
