"""Where responses come from, behind one small interface.

    base (the interface and the check that an engine honours a strategy's settings)
      -> in_process (vLLM's asynchronous engine, started by this process)
      -> replicas (small models on a CPU: n processes, in each a replica, that is vLLM whole on one core)
      -> servers (any number of OpenAI-compatible servers)

What the first two tell vLLM is in vllm_options (to start it) and vllm_requests (to sample one response).
All are asynchronous, because all wait: for other processes or for the network.
"""

from generation.engines.base import (
    Engine,
    EngineInfo,
    Generation,
    GenerationRequest,
    SampleFailedError,
    check_strategies,
)

__all__ = ["Engine", "EngineInfo", "Generation", "GenerationRequest", "SampleFailedError", "check_strategies"]
