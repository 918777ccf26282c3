"""A supervisor with one simple child, for tests that kill it: `python … STATE_DIR`."""

import sys
from pathlib import Path

from embedded import services
from embedded.processes import ProcessSpec
from embedded.screen import Screen
from embedded.supervisor import StopRequestedError, Supervisor


def main(state_dir: Path) -> None:
    """Keep a sleeping child running until asked to stop."""
    services.make_state_folders(state_dir)
    supervisor = Supervisor(state_dir, screen=Screen())
    supervisor.listen_to_signals()
    command = (sys.executable, "-c", "import time; time.sleep(600)")
    supervisor.add(ProcessSpec(name="sleeper", command=command, cwd=state_dir))
    servers = services.make_servers(state_dir, postgres=False, valkey=True, durable=False)
    for server in servers:
        server.prepare()
        supervisor.add(server.spec())
    try:
        supervisor.run_forever()
    except StopRequestedError:
        return
    finally:
        supervisor.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
