"""Labels of people: a blinded sheet of a run's pairs, and what comes back of it.

run -> sampling (which pairs, with which chance) -> sheet (items, sides, controls) -> page (HTML) and key
answers (the CSVs of one or several people) + key -> checking -> result -> files, console
"""
