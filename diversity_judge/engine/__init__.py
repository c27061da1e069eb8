"""Buying judgments: what is sent when, what is asked again, and when to stop.

schedule -> (ramp, limiter, budget) -> judge -> ledger      `retry` around a call, `buyer` in charge, `session` around
"""
