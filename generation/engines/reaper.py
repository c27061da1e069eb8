"""End the engine's processes when this one is killed.

vLLM's engine core and workers outlive a killed parent and keep the GPU's memory, so that the resumed run
could not start. A small process holds the read end of a pipe; when the pipe closes without a farewell, this
process is gone, and the small one kills what it left behind.
"""

from __future__ import annotations

import subprocess
import sys

_WATCH = """
import sys
import psutil
processes = []
for line in sys.stdin:
    if line.strip() == "done":
        sys.exit()
    pid, created = line.split()
    processes.append((int(pid), float(created)))
for pid, created in processes:
    try:
        process = psutil.Process(pid)
        if process.create_time() == created:  # else the number belongs to another process by now
            for child in process.children(recursive=True):
                child.kill()
            process.kill()
    except psutil.Error:
        pass
"""


class Reaper:
    """Watches this process's children on behalf of whoever resumes."""

    def __init__(self) -> None:
        self._watcher: subprocess.Popen[str] | None = None

    def watch_children(self) -> None:
        """Remember all processes below this one."""
        import psutil

        children = psutil.Process().children(recursive=True)
        self._watcher = subprocess.Popen(  # noqa: S603 - a fixed program
            [sys.executable, "-c", _WATCH], stdin=subprocess.PIPE, text=True, start_new_session=True
        )
        for child in children:
            self._tell(f"{child.pid} {child.create_time()!r}")

    def close(self) -> None:
        """Say farewell: the children were ended properly."""
        self._tell("done")
        self.reap()

    def reap(self) -> None:
        """Have the children killed now."""
        if self._watcher is not None:
            self._watcher.communicate()
        self._watcher = None

    def _tell(self, line: str) -> None:
        if self._watcher is not None and self._watcher.stdin is not None:
            try:
                self._watcher.stdin.write(line + "\n")
                self._watcher.stdin.flush()
            except OSError:  # the watcher was killed; it guards nothing any more
                pass
