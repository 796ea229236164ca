"""Files take a minute and more, yet nobody else's mail waits for them: one thread of a worker carries none."""

from bench.beside_files import TARGET, beside


def test_files_of_others_keep_no_mail_waiting() -> None:
    with beside(threads=2, upload=15.0) as (_, seconds):
        assert seconds < TARGET
