"""`python -m generation.sample`: sample responses to problems by several strategies; in Python, a function.

The command and the function have one name, and Python binds `generation.sample` to this file's module as soon as
anybody imports it. A module may put another object in its own place while it is imported (Python's import system reads
`sys.modules` again after it ran a module), so this one puts the function there: the name means the same whatever was
imported before. What the command does is in `sample_command`, what the function does in `sampling`.
"""

from __future__ import annotations

import sys
from typing import Any, cast

if __name__ == "__main__":
    from generation.sample_command import main

    sys.exit(main())
elif __name__ == "generation.sample":  # not where multiprocessing runs it again as `__mp_main__`
    from generation.sampling import sample

    cast(dict[str, Any], sys.modules)[__name__] = sample
