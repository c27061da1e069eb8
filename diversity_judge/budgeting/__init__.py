"""`plan`: what a study would cost and show, before anything is bought.

options -> work (groups, or counts alone) + variances (a pilot's, or assumed) -> choices -> the recommended one
"""
