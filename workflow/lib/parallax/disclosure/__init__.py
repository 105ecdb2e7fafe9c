"""The one gate between exact tables and what may be shown: small counts suppressed, others rounded, curves coarsened.

Each function takes an exact table and the protocol's ``disclosure`` section and returns the shown table, with the thresholds in its last
two columns. Nothing computes from a shown table.
"""
