"""Runs one command and says what it cost: processor seconds, peak memory, bytes written to disk, wall clock."""
import json
import os
import statistics
import subprocess
import sys
import time


def cost(command, **options):
    """Cost of a command that must succeed, its children included: what wait4(2) reports when it ends."""
    # A process begins with the peak memory of the one that starts it: a fresh interpreter's is less than any that is measured.
    launcher = [sys.executable, "-I", "-S", __file__, *command]
    done = subprocess.run(launcher, stdin=subprocess.DEVNULL, capture_output=True, check=False, **options)
    if done.returncode != 0:
        sys.stderr.buffer.write(done.stderr[-2000:])
        raise SystemExit(f"error: {' '.join(command)} ended with {done.returncode}")
    return json.loads(done.stdout)


def launch(command):
    """Runs the command, prints its cost as JSON, and ends as it did."""
    start = time.monotonic()
    quiet = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    child = os.posix_spawnp(command[0], command, os.environ, file_actions=quiet)
    _, status, usage = os.wait4(child, 0)
    figures = {
        "wall s": time.monotonic() - start,
        "CPU s": usage.ru_utime + usage.ru_stime,
        "peak MiB": usage.ru_maxrss / 1024,
        # Blocks of 512 bytes that were sent to the block layer on this process' account.
        "written MiB": usage.ru_oublock * 512 / 2**20,
    }
    print(json.dumps(figures))
    return os.waitstatus_to_exitcode(status)


def medians(costs):
    """One cost out of several: the median of each figure."""
    return {figure: statistics.median(cost[figure] for cost in costs) for figure in costs[0]}


def machine():
    """One line: processor, cores, kernel, date."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), "unknown")
    return f"{model}, {os.cpu_count()} cores, Linux {os.uname().release}, {time.strftime('%Y-%m-%d')}"


if __name__ == "__main__":
    sys.exit(launch(sys.argv[1:]))
