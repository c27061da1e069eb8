"""How a running model uses its experts: its routers watched in vLLM, and other numbers of active experts."""
