"""Studies with known truth: real covariates, treatment and outcome drawn anew from stated models (plasmode; Franklin et al. 2014)."""
