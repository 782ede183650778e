"""The worker with a counting fold in place of the real one: ``python -m tests.chaos.counting_worker NAME PORT``."""

import sys

from contract.errors import ThecaflowError
from tests.counting import CountingFold
from thecaflow.commands.worker import log_to_stderr
from thecaflow.settings import Settings
from thecaflow.worker_app import TransportOptions
from thecaflow.worker_run import WorkerOptions, run_worker


def main() -> int:
    log_to_stderr()
    transport = TransportOptions(
        session_timeout_s=3.0, heartbeat_interval_s=0.5, commit_interval_s=0.5, max_poll_records=200
    )
    options = WorkerOptions(name=sys.argv[1], http_port=int(sys.argv[2]), transport=transport)
    try:
        return run_worker(Settings.from_env(), options, CountingFold, lambda: None)
    except ThecaflowError as failed:
        print(failed, file=sys.stderr)
        return failed.exit_code


if __name__ == "__main__":
    sys.exit(main())
