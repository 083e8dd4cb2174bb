"""src/auth as a process: the program auth_probe of the build (AUTH_PROBE names another one)."""

import json
import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

CHECKS = [
    "none", "size", "encoding", "expired", "not yet", "expiry", "issuer", "audience", "subject", "algorithm", "key",
    "signature", "claims", "pubkey",
]
AGAIN = 1


class Probe:
    def __init__(self, **environment):
        build = Path(os.environ.get("SLIM_BUILD_DIR") or ROOT / "build")
        program = Path(os.environ.get("AUTH_PROBE") or build / "tests" / "unit" / "auth" / "auth_probe")
        assert program.exists(), f"{program} is missing: build it first"
        self.process = subprocess.Popen([str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env={**os.environ, **environment})

    def ask(self, op, **arguments):
        self.process.stdin.write(json.dumps({"op": op, **arguments}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"auth_probe died over {op}"
        return json.loads(line)

    def good(self, op, **arguments):
        answer = self.ask(op, **arguments)
        assert answer["status"] == 0, answer
        return answer

    def verify(self, token, now):
        """The answer, with the failed check by its name."""
        answer = self.ask("verify", token=token, now=int(now))
        answer["check"] = CHECKS[answer["check"]]
        return answer

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        assert self.process.wait(timeout=30) == 0
