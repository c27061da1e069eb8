"""What the table of counterfactual routes says: classes of tokens, summary, figures, page, console, replay.

tokens.parquet -> tokens -> summary (measures/route_utility) -> tables, figures, page, console
"""
