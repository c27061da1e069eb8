"""Why Expert-Sample gains where it does: each decision of a solution is judged, since the task is exact.

Data flow:

solutions -> where each leaves the model's own way, for the better or the worse -> what a problem gains by it
solutions -> every decision under the model's own routes, under drawn ones, and with hotter tokens
"""
