"""The two arms made comparable: propensity score, matching, weighting, and how well that went."""
