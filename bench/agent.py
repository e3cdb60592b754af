"""What the agent costs and how fast it is: tables in Markdown. The agent is off and on in turns; ratios are of pairs.

    bench/agent.sh [PAIRS] [SECTION...]      sections: redis operations loss alert cpu memory files
"""
import csv
import io
import statistics
import subprocess
import sys
import threading

from measure import machine
from watched import Agent, Inside

plimsoll, pid, images, tools, pairs = sys.argv[1:5] + [int(sys.argv[5])]
wanted = sys.argv[6:]
inside = Inside(pid)


def alternate(measure, *options):
    """Figures without and with the agent, in turns, after one round that is not counted."""
    measure()
    off, on = [], []
    for _ in range(pairs):
        off.append(measure())
        with Agent(plimsoll, images, *options):
            on.append(measure())
    return off, on


def row(name, off, on, is_rate=False):
    """One line of a table. The ratio says how much slower it is with the agent: 1.00 is no cost."""
    ratios = [a / b if is_rate else b / a for a, b in zip(off, on)]
    spread = (max(off) - min(off)) / statistics.median(off)
    print(f"| {name} | {statistics.median(off):,.0f} | {statistics.median(on):,.0f} | {statistics.median(ratios):.3f} "
          f"| {spread:.2f} |", flush=True)


def redis():
    def requests(kind):
        output = inside.run("redis-benchmark", "--csv", "-t", kind, "-n", "400000", "-c", "50")
        return float(list(csv.DictReader(io.StringIO(output)))[0]["rps"])

    print("\n| requests/s | agent off | agent on | slower by | spread of off |\n|---|---:|---:|---:|---:|")
    for kind in ("get", "set"):
        row(f"redis {kind.upper()}", *alternate(lambda: requests(kind)), is_rate=True)


def operations():
    print("\n| nanoseconds | agent off | agent on | slower by | spread of off |\n|---|---:|---:|---:|---:|")
    for name, arguments in (
        ("a system call that no rule asks for", ("syscall", 2_000_000)),
        ("open for reading + close", ("read", 200_000, "/etc/hostname")),
        ("open for writing + close", ("write", 100_000, "/data/bench")),
        ("open for writing + close, never judged", ("write", 200_000, "/dev/null")),
        ("fork + exec + wait", ("exec", 1_000, "/bin/true")),
    ):
        row(name, *alternate(lambda: inside.figure(*arguments)))


def loss():
    """Opens for writing of files that no profile expects: each is an event that is sent, judged and counted."""
    print("\n| opens for writing asked for, per second | done | events lost |\n|---:|---:|---:|")
    for rate in (25_000, 50_000, 100_000, 200_000, 400_000, 800_000):
        with Agent(plimsoll, images) as agent:
            done = inside.figure("flood", rate, 3_000, "/data")
        print(f"| {rate:,} | {done:,.0f} | {agent.lost():,} |", flush=True)
        if agent.lost() or done < rate * 0.8:
            return


def alert():
    """From the start of the process to its first alert, about somebody who comes in again and again meanwhile."""
    first, ready = [], []
    for _ in range(pairs):
        over = threading.Event()

        def intrude():
            while not over.is_set():
                inside.run("/bin/true")

        intruder = threading.Thread(target=intrude)
        intruder.start()
        try:
            with Agent(plimsoll, images) as agent:
                if not agent.alerted.wait(30):
                    raise SystemExit("error: no alert within 30 s")
                ready.append(agent.ready_at - agent.started_at)
                first.append(agent.first_alert_at - agent.started_at)
        finally:
            over.set()
            intruder.join()
    print("\n| milliseconds from the start | median | worst |\n|---|---:|---:|")
    for name, times in (("ready", ready), ("first alert", first)):
        print(f"| {name} | {statistics.median(times) * 1000:.0f} | {max(times) * 1000:.0f} |", flush=True)


def cpu():
    print("\n| execs/s | done | agent's processor time |\n|---:|---:|---:|")
    for rate in (0, 20, 200, 800):
        with Agent(plimsoll, images) as agent:
            before = agent.cpu_seconds()
            done = inside.figure("execs", rate or 1, 10_000, "/bin/true") if rate else 0
            if not rate:
                subprocess.run(["sleep", "10"], check=True)
            print(f"| {rate} | {done:,.0f} | {(agent.cpu_seconds() - before) * 10:.1f} % |", flush=True)


def memory():
    """Containers of the same image beside the first one, as that one's start made them."""
    print("\n| containers | resident MiB |\n|---:|---:|")
    made = []
    try:
        for count in (0, 10, 100):
            while len(made) < count - 1:
                output = subprocess.run(["podman", "run", "--detach", "localhost/plimsoll-demo/redis:latest"],
                                        check=True, capture_output=True, text=True).stdout
                made.append(output.strip())
            # Without containers: none whose image it knows.
            with Agent(plimsoll, images if count else tools) as agent:
                subprocess.run(["sleep", "5"], check=True)
                print(f"| {count} | {agent.resident_mib():.1f} |", flush=True)
    finally:
        if made:
            subprocess.run(["podman", "rm", "--force", "--time", "0", *made], check=False, capture_output=True)


def files():
    """The file needs by fanotify: a mark on the container's overlay, and a reader that only counts."""
    operations = (
        ("a system call that no rule asks for", ("syscall", 2_000_000)),
        ("open for reading + close", ("read", 200_000, "/usr/bin/redis-server")),
        ("open for writing + close", ("write", 100_000, "/tmp/bench")),
    )
    print("\n| nanoseconds | nothing | the agent's tracepoints | fanotify, writes | fanotify, opens |\n|---|---:|---:|---:|---:|")
    for name, arguments in operations:
        def measure():
            return inside.figure(*arguments)

        figures = {"off": [], "agent": [], "write": [], "open": []}
        for _ in range(pairs):
            figures["off"].append(measure())
            with Agent(plimsoll, images):
                figures["agent"].append(measure())
            for mask in ("write", "open"):
                with Marked(mask):
                    figures[mask].append(measure())
        off = figures.pop("off")
        cells = [f"{statistics.median(off):,.0f}"]
        for values in figures.values():
            ratio = statistics.median(b / a for a, b in zip(off, values))
            cells.append(f"{statistics.median(values):,.0f} ({ratio:.2f}×)")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


class Marked:
    """bench/fanotify.c on the container's file system."""

    def __init__(self, mask):
        self.command = [f"{tools}/fanotify", f"/proc/{pid}/root", mask]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "ready\n":
            raise SystemExit("error: the file system could not be marked")

    def __exit__(self, *_):
        self.process.communicate()


print(f"Machine: {machine()}. Medians of {pairs} alternating pairs.", flush=True)
for section in (redis, operations, loss, alert, cpu, memory, files):
    if not wanted or section.__name__ in wanted:
        section()
