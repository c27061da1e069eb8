"""The command `reward`: its models' recipes, prompts, options and console, what is scored already, and how it scores.

recipes (data: how a model is shown a response) -> prompts (token ids, and which numbers of the model count)
-> scorer (an engine, asked) -> journal (on disk as it comes) -> files (the responses with their rewards)
"""
