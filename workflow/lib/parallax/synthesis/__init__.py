"""Synthetic cohorts: generators that are fitted to a cohort and draw replicates of it, each from a seed of its own."""
