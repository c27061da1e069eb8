import io

from rich.console import Console

from generation.sampling.progress import sampling_progress


def shown(*, terminal: bool) -> str:
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=120)
    with sampling_progress(console, 3) as on_response:
        for n_tokens in (100, None, 100):
            on_response(n_tokens)
    return out.getvalue()


def test_a_terminal_sees_samples_speed_and_failures() -> None:
    text = shown(terminal=True)
    assert "3/3" in text
    assert "tokens/s" in text
    assert "1 failed" in text


def test_nothing_is_written_where_nobody_watches() -> None:
    assert shown(terminal=False) == ""
