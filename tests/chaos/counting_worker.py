"""The worker command with the counting fold in place of the real one: ``python -m tests.chaos.counting_worker NAME``."""

import sys

from tests.counting import CountingFold
from thecaflow.commands.worker import log_to_stderr
from thecaflow.settings import Settings
from thecaflow.worker_run import TransportOptions, WorkerOptions, run_worker

if __name__ == "__main__":
    log_to_stderr()
    transport = TransportOptions(session_timeout_s=3.0, heartbeat_interval_s=0.5, commit_interval_s=0.5, max_poll_records=200)
    options = WorkerOptions(name=sys.argv[1], http_port=int(sys.argv[2]), transport=transport)
    sys.exit(run_worker(Settings.from_env(), options, CountingFold, lambda: None))
