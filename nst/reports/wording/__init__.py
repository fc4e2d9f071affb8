"""The words of a report: captions, a table for a paper, and what its terms mean."""
