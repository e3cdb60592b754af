"""An agent that runs, and a container in which things are done: what benches of the agent share."""
import os
import subprocess
import threading
import time

TICKS = os.sysconf("SC_CLK_TCK")


class Agent:
    """`with Agent(...) as agent:` is an agent that is ready; it ends with the block, and `losses` says what it lost."""

    def __init__(self, plimsoll, images, *options):
        self.command = [plimsoll, "agent", "--images", images, "--format", "json", *options]
        self.talk = []
        self.first_alert_at = None
        self.ready = threading.Event()
        self.alerted = threading.Event()

    def __enter__(self):
        self.started_at = time.monotonic()
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        self.readers = [threading.Thread(target=read) for read in (self._read_talk, self._read_alerts)]
        for reader in self.readers:
            reader.start()
        if not self.ready.wait(60):
            self.process.kill()
            raise SystemExit(f"error: the agent is not ready after 60 s: {''.join(self.talk)}")
        if self.process.poll() is not None:
            raise SystemExit(f"error: the agent ended: {''.join(self.talk)}")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        for reader in self.readers:
            reader.join()

    def _read_talk(self):
        for line in self.process.stderr:
            self.talk.append(line)
            if line.startswith("ready"):
                self.ready_at = time.monotonic()
                self.ready.set()
        self.ready.set()

    def _read_alerts(self):
        for _ in self.process.stdout:
            if not self.alerted.is_set():
                self.first_alert_at = time.monotonic()
                self.alerted.set()

    def resident_mib(self):
        with open(f"/proc/{self.process.pid}/status", encoding="utf-8") as file:
            return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmRSS:"))

    def cpu_seconds(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="utf-8") as file:
            fields = file.read().rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def lost(self):
        """Events lost, as its last words say; to be asked when it has ended."""
        words = (line.split() for line in self.talk if line.startswith("done: ") and "lost" in line)
        return sum(int(word[1]) for word in words)


class Inside:
    """A running container's first process; what is run here is in its namespaces."""

    def __init__(self, pid):
        self.pid = pid

    def command(self, *arguments):
        return ["nsenter", "--mount", "--net", "--target", self.pid, *arguments]

    def run(self, *arguments):
        return subprocess.run(self.command(*arguments), check=True, capture_output=True, text=True).stdout

    def figure(self, *arguments):
        """What bench/workload.c prints: one number."""
        return float(self.run("/bench/workload", *map(str, arguments)))
