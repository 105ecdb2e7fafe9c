"""The study's analysis of one dataset, blind to where its patients come from: designs, then effects, for every replicate."""
