"""Mixture-of-experts models of transformers, as routes are studied in them: one adapter for four architectures.

`routers` says how each architecture weighs a route, `layers` what one layer consists of and what it computes, `forcing`
makes a layer take other routes, `readout` turns a state into the probability of a token, `loading` reads a model,
`placing` names where it is computed.

Glossary: a *route* is the set of k experts that a token goes through at one layer; its *weights* are what the model
itself gives these experts' outputs; the *standard route* is the one that the model's router takes.
"""
