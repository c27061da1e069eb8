"""Two judges over the same responses: do they agree?

two runs -> matching (the same pairs of the same responses) -> agreement (the statistics) -> result
     -> files, console; the figure stands outside and reads the `JudgeAgreement`
"""
