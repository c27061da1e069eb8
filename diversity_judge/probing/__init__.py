"""Can the judge be believed: pairs of a run are asked again, turned round, and changed in ways with a known answer.

run -> same_judge (the judge, template and texts of the run) -> drawing (which pairs) -> requests (what each probe
asks) -> buying (through the engine, into the run's ledger) -> findings (formulas) -> tables, figures, page
"""
