"""The command line: Hydra, help, checks before the first job, and the batched launcher."""
